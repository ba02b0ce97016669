/** How answers are read, and bundles written. */
import { describe, expect, it } from "vitest";
import { type Part, readBundled, writeBundle } from "./bundle";
import { type FailureKind, refusal, RemoteFailure } from "./failure";
import { readStatus } from "./remote";

describe("refusals say what to do", () => {
  const cases: [number, string, FailureKind][] = [
    [401, "unauthorized", "unauthorized"],
    [404, "not-found", "no-broadcast"],
    [403, "", "unexpected"],
    [404, "", "unexpected"],
    [422, "too-far-ahead", "unexpected"],
    [422, "unprocessable", "unexpected"],
    [409, "no-init-section", "no-init"],
    [409, "other-bytes-stored", "taken"],
    [422, "not-a-media-segment", "refused"],
    [422, "digest-mismatch", "unexpected"],
    [503, "storage-full", "busy"],
    [400, "broken-off", "unexpected"],
    [400, "bad-request", "refused"],
    [408, "", "too-slow"],
    [500, "internal", "unexpected"],
  ];
  it.each(cases)("%i %s is %s", (status, kind, expected) => {
    const failure = refusal(status, "7", { type: `/problems/${kind}`, detail: "why" });
    expect([failure.kind, failure.message]).toEqual([expected, "why"]);
    expect(failure.retryAfter_ms).toBe(expected === "busy" ? 7_000 : null);
  });

  it("for a time ahead of theirs is told by their time", () => {
    const ahead = refusal(422, null, { type: "/problems/unprocessable", detail: "why", server_time_ms: 1 });
    expect([ahead.kind, ahead.isOfTheRecorder(), ahead.isFatal()]).toEqual(["ahead", true, false]);
  });

  it("that make no sense are unexpected", () => {
    for (const problem of [null, "x", 3, { type: 1 }]) expect(refusal(502, null, problem).kind).toBe("unexpected");
    expect(refusal(503, null, null).retryAfter_ms).toBeNull();
  });
});

describe("a broadcast is over when its owner or its publisher says so", () => {
  it.each([
    ["live", false, "no"],
    ["ended", true, "closing"],
    ["ended", false, "ended"],
    ["complete", false, "ended"],
    ["ended", undefined, "ended"],
  ])("%s, closing: %s, is %s", (state, closing, expected) => {
    expect(readStatus({ state, closing, server_time_ms: 1, renditions: {} }).over).toBe(expected);
  });
});

describe("a bundle", () => {
  const part = (path: string, text: string, digest: string | null): Part => ({
    path,
    headers: { "segment-captured-at": "5" },
    bytes: new TextEncoder().encode(text),
    digest,
  });
  const parts = [part("main/init.mp4", "i", null), part("main/1.m4s", "abc", "1"), part("main/2.m4s", "", "2"), part("main/3.m4s", "d", "3")];

  it("is its parts, each after its head", async () => {
    expect(await writeBundle(parts.slice(1, 3)).text()).toBe(
      "main/1.m4s\r\ncontent-length: 3\r\nsegment-captured-at: 5\r\n\r\nabcmain/2.m4s\r\ncontent-length: 0\r\nsegment-captured-at: 5\r\n\r\n",
    );
  });

  const ok = (digest: string) => ({ path: "", status: 201, body: { safe: true, digest } });
  const refused = { path: "", status: 409, body: { type: "/problems/ended", detail: "over" } };
  const broken = { path: "", status: 503, body: { type: "/problems/storage-full" } };
  const noInit = { path: "", status: 409, body: { type: "/problems/no-init-section" } };
  const cases: [number, unknown, string[], boolean][] = [
    [200, { parts: [broken, noInit, noInit, ok("3")] }, ["busy", "busy", "safe"], false],
    [200, { parts: [ok("0"), noInit, ok("2"), ok("3")] }, ["unexpected", "safe", "safe"], false],
    [200, { parts: [ok("0"), ok("1"), refused, ok("3")] }, ["safe", "refused", "safe"], false],
    [200, { parts: [ok("0"), ok("1"), ok("1"), ok("3")] }, ["safe", "unexpected", "safe"], false],
    [200, { parts: [ok("0"), ok("1")] }, ["safe"], true],
    [503, { parts: [ok("0"), ok("1")] }, ["safe"], true],
    [503, null, [], true],
    [502, "no", [], true],
  ];
  it.each(cases)("answered %i %j says of each what became of it", (status, answer, expected, broke) => {
    const bundled = readBundled(status, null, answer, parts);
    const told = bundled.segments.map((one) => (one instanceof RemoteFailure ? one.kind : one.safe && !one.closing ? "safe" : "stored"));
    expect([told, bundled.broke !== null]).toEqual([expected, broke]);
  });
});
