/** What an earlier visit left, of which not everything is as it should be. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { FakeDisk } from "../spool/files.fake";
import { initName, segmentName } from "../spool/names";
import { Spool } from "../spool/spool";
import { digestOf, digestOfRange } from "../uplink/blake3";
import type { Request } from "../uplink/exchange";
import { deviceAhead_ms, runningTime_ms } from "../uplink/running-time";
import { Held } from "./held";

/** What the recorder has, and what it was told. */
let stored = new Map<number, string>();
let abandoned: [number, number][] = [];
let said: unknown[] = [];
let hasInit = false;

vi.mock("../uplink/exchange", async (original) => ({
  ...(await original<object>()),
  exchange: async (request: Omit<Request, "limit_ms">) => answer(request),
}));

async function answer({ method, url, headers, body }: Pick<Request, "method" | "url" | "headers" | "body">) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  const ok = (json: unknown) => ({ status: 200, retryAfter: null, json });
  if (method === "GET" && url.endsWith("/route")) return { ...ok(null), status: 404 };
  const ranges = [...stored.keys()].map((seq) => [seq, seq]);
  const main = { stored: ranges, stored_digests: [...stored.values()].map((digest) => digestOfRange([digest])), safe: ranges, abandoned };
  const state = said.some((word) => (word as { said: string }).said === "end") ? "ended" : "live";
  if (method === "GET") return ok({ state, server_time_ms: runningTime_ms(), renditions: { main } });
  if (method === "POST") {
    const told = JSON.parse(String(body));
    said.push({ said: url.split("/").at(-1), ...told });
    if ("first" in told) abandoned.push([told.first, told.last]);
    return ok(null);
  }
  if (url.endsWith("/init.mp4")) {
    hasInit = true;
    return ok(null);
  }
  if (headers?.["segment-init"] && !hasInit) return { ...ok({ type: "/problems/no-init-section" }), status: 409 };
  const digest = digestOf(body as Uint8Array);
  stored.set(Number(/(\d+)\.(?:ts|m4s)$/.exec(url)![1]), digest);
  return ok({ digest, safe: true });
}

const address = { id: "b", server: "http://r", token: "t", title: "" };
const events = { kept: vi.fn(), lost: vi.fn() };
let disk = new FakeDisk();

beforeEach(() => {
  vi.useFakeTimers();
  disk = new FakeDisk();
  vi.stubGlobal("navigator", disk.navigator);
  vi.spyOn(crypto.subtle, "digest").mockResolvedValue(new ArrayBuffer(32));
  vi.spyOn(console, "error").mockReturnValue();
  [stored, abandoned, said, hasInit] = [new Map(), [], [], false];
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** Leaves a segment; what is on the disk may be something else. */
async function leave(seq: number, captured_ms: number, isDamaged = false) {
  const bytes = new Uint8Array([seq, seq]);
  const segment = { seq, captured_ms, duration_ms: 2_000, bytes: 2, digest: digestOf(bytes), container: "ts", init: null } as const;
  const spool = (await Spool.open("b", address))!;
  await spool.keep(segment, isDamaged ? new Uint8Array([99, 99]) : bytes);
  return segmentName(segment);
}

it("is not live, though the clock of then was wrong", async () => {
  await leave(0, Math.round(runningTime_ms()) + 3_600_000);
  const held = (await Held.open("b", null, () => 0, events))!;
  await vi.advanceTimersByTimeAsync(1_000);
  const { newestArrived_ms, latency_ms } = held.uplink.status();
  expect([...stored.keys()]).toEqual([0]);
  expect([newestArrived_ms! < runningTime_ms() - 8_000, latency_ms]).toEqual([true, null]);
  held.uplink.destroy();
});

it.each(["before", "after"])("cannot all be read: that is no refusal, and is declared %s the end was said", async (when) => {
  const before_ms = Math.round(runningTime_ms()) - 60_000;
  await leave(0, before_ms);
  const damaged = await leave(1, before_ms + 2_000, true);
  await leave(2, before_ms + 4_000);
  const held = (await Held.open("b", null, () => 0, events))!;
  if (when === "after") held.mark("ended", true);
  await vi.advanceTimersByTimeAsync(15_000);
  if (when === "before") {
    expect(said).toEqual([]);
    held.mark("ended", true);
    await vi.advanceTimersByTimeAsync(5_000);
  }
  const status = held.uplink.status();
  expect([[...stored.keys()].sort(), status.refused, status.damaged, status.unreadable, status.owed.segments]).toEqual([[0, 2], 0, 1, 0, 0]);
  const declared = { said: "abandon", rendition: "main", first: 1, last: 1 };
  const end = { said: "end", last: { main: 2 } };
  expect(said).toEqual(when === "before" ? [declared, end] : [end, declared]);
  // It is nowhere else, so it stays until somebody decides.
  expect([status.isDone, (await disk.names("b")).includes(damaged)]).toEqual([false, true]);
  held.uplink.destroy();
});

it("is read again later when the device cannot read it now, and nothing of it is given up", async () => {
  await leave(0, Math.round(runningTime_ms()) - 60_000);
  const held = (await Held.open("b", null, () => 0, events))!;
  held.mark("ended", true);
  const read = vi.fn(() => new DOMException("busy", "NotReadableError"));
  disk.unreadable = read;
  await vi.advanceTimersByTimeAsync(5_000);
  // The others need not wait for it, and whoever closes the page now knows that.
  expect(held.uplink.status()).toMatchObject({ unreadable: 1, damaged: 0, owed: { segments: 0 }, isDone: false });
  await vi.advanceTimersByTimeAsync(300_000);
  expect(read.mock.calls.length).toBeLessThan(15);
  disk.unreadable = () => null;
  await vi.advanceTimersByTimeAsync(75_000);
  expect([...stored.keys()]).toEqual([0]);
  expect(said).toEqual([{ said: "end", last: { main: 0 } }]);
  expect(held.uplink.status()).toMatchObject({ unreadable: 0, isDone: true });
});

it("is not waited for when it cannot be read, and is there already", async () => {
  await leave(0, Math.round(runningTime_ms()) - 60_000);
  const held = (await Held.open("b", null, () => 0, events))!;
  disk.unreadable = () => new DOMException("busy", "NotReadableError");
  await vi.advanceTimersByTimeAsync(5_000);
  expect(held.uplink.status()).toMatchObject({ unreadable: 1, owed: { segments: 0 } });
  // Another recorder tells of what had arrived before.
  stored.set(0, digestOf(new Uint8Array([0, 0])));
  held.mark("ended", true);
  await vi.advanceTimersByTimeAsync(15_000);
  expect([said, held.uplink.status()]).toMatchObject([[{ said: "end", last: { main: 0 } }], { unreadable: 0, isDone: true }]);
});

it("is sent after all when the init section that it needs is written anew", async () => {
  const init = new Uint8Array([7, 7, 7]);
  const [bytes, spool] = [new Uint8Array([0, 0]), (await Spool.open("b", address))!];
  const about = { captured_ms: Math.round(runningTime_ms()) - 60_000, duration_ms: 2_000, container: "m4s" } as const;
  const { digest } = await spool.keepInit(init);
  await spool.keep({ ...about, seq: 0, bytes: 2, digest: digestOf(bytes), init: digest }, bytes);
  (await disk.spool("b")).files.delete(initName(digest));
  const held = (await Held.open("b", null, () => 0, events))!;
  await vi.advanceTimersByTimeAsync(15_000);
  expect([[...stored.keys()], held.uplink.status().damaged]).toEqual([[], 1]);
  held.keep({ ...about, captured_ms: runningTime_ms() - 2_000, ahead_ms: deviceAhead_ms(), bytes: new Uint8Array([1, 1]), init });
  held.mark("ended", true);
  await vi.advanceTimersByTimeAsync(15_000);
  expect([[...stored.keys()].sort(), said]).toEqual([[0, 1], [{ said: "end", last: { main: 1 } }]]);
  held.uplink.destroy();
});
