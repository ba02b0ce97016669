import { expect, test } from "vitest";
import { askedBy } from "./address";

test("what an address asks for", () => {
  const plain = { engine: "auto", at_ms: null, autoplay: null, muted: false };
  const source = "/hls/abc/index.m3u8";
  expect(askedBy({ pathname: "/watch/abc", search: "" })).toEqual({ id: "abc", source, ...plain });
  const more = askedBy({ pathname: "/embed/abc/", search: "?engine=shaka&autoplay=1&muted=1&t=2026-11-22T12:00:00Z" });
  expect(more).toMatchObject({ engine: "shaka", autoplay: true, muted: true, at_ms: Date.parse("2026-11-22T12:00:00Z") });
  expect(askedBy({ pathname: "/embed/a", search: "?engine=flash&autoplay=maybe" })).toMatchObject({ engine: "auto", autoplay: null });
});
