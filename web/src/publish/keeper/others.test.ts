/** Two publishers that counted from the same number: the recorder already has other segments under ours. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { readListing } from "../spool/listing";
import type { FakeDisk } from "../spool/files.fake";
import { digestOf } from "../uplink/blake3";
import type { Request } from "../uplink/exchange";
import { runningTime_ms } from "../uplink/running-time";
import { begin, end, events, footage, open } from "./held.fake";

/** What the recorder has: the digests by their numbers. */
let stored = new Map<number, string>();
/** What it was told beside segments. */
let said: { said: string; body: unknown }[] = [];

vi.mock("../uplink/exchange", async (original) => ({
  ...(await original<object>()),
  exchange: async ({ method, url, body }: Request) => answer(method, url, body),
}));

/** Beside the one that is known. */
let another: string | null = null;
/** How long an upload to one of them is on its way. */
let slow_ms: Record<string, number> = {};
/** Has nothing of the others. */
let unaware: string | null = null;
/** Where which segment was sent to. */
let put: string[] = [];

async function answer(method: string, url: string, body: Request["body"]) {
  const { origin } = new URL(url);
  if (method === "PUT") put.push(`${url.split("/").at(-1)} ${origin}`);
  await new Promise((resolve) => setTimeout(resolve, (method === "PUT" && slow_ms[origin]) || 400));
  const ok = (json: unknown) => ({ status: 200, retryAfter: null, json });
  if (method === "GET" && url.endsWith("/route")) {
    return another === null ? { ...ok(null), status: 404 } : ok({ recorders: ["http://r", another].map((url) => ({ url })) });
  }
  if (method === "GET") {
    const last = Math.max(...stored.keys());
    const state = said.length > 0 ? "ended" : "live";
    return ok({ state, server_time_ms: runningTime_ms(), renditions: { main: { stored: [[0, last]], stored_digests: ["other"] } } });
  }
  if (method === "POST") {
    const text = String(body ?? "");
    said.push({ said: url.split("/").at(-1)!, body: text === "" ? null : JSON.parse(text) });
    return ok(null);
  }
  const seq = Number(/(\d+)\.ts$/.exec(url)![1]);
  const digest = digestOf(body as Uint8Array);
  if (origin === unaware) return ok({ digest, safe: false });
  if (stored.has(seq) && stored.get(seq) !== digest) return { ...ok({ type: "/problems/other-bytes-stored" }), status: 409 };
  stored.set(seq, digest);
  return ok({ digest, safe: false });
}

let disk: FakeDisk;

beforeEach(() => {
  disk = begin();
  stored = new Map([0, 1, 2, 3, 4].map((seq) => [seq, "other"]));
  said = [];
  [another, slow_ms, unaware, put] = [null, {}, null, []];
});
afterEach(end);

it("says the end when what had to be numbered anew has its number, and gives up nothing of the others", async () => {
  const held = await open();
  for (const byte of [1, 2]) held.keep(footage(byte));
  held.mark("ended", true);
  await vi.advanceTimersByTimeAsync(30_000);
  held.uplink.destroy();
  expect([...stored.keys()]).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(said).toEqual([{ said: "end", body: { last: { main: 6 } } }]);
  expect(events.lost).not.toHaveBeenCalled();
});

it("waits with the end for what cannot be read now, and has to be numbered anew", async () => {
  vi.spyOn(console, "error").mockReturnValue();
  const held = await open();
  for (const byte of [1, 2]) held.keep(footage(byte));
  held.mark("ended", true);
  // It is read to be sent under the number that is taken, and then to be kept under another one.
  let reads = 0;
  disk.unreadable = () => (++reads > 2 && reads < 6 ? new DOMException("busy", "NotReadableError") : null);
  await vi.advanceTimersByTimeAsync(60_000);
  held.uplink.destroy();
  expect([...stored.keys()]).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect([said, reads > 6]).toEqual([[{ said: "end", body: { last: { main: 6 } } }], true]);
});

it("tries for as long as the page is open what cannot be read and has to be numbered anew, and does not say the end before", async () => {
  vi.spyOn(console, "error").mockReturnValue();
  const held = await open();
  held.keep(footage(1));
  held.mark("ended", true);
  // It is read to be sent, at the second try, and then to be kept under another number.
  let reads = 0;
  let isBusy = true;
  disk.unreadable = () => (++reads !== 2 && isBusy ? new DOMException("busy", "NotReadableError") : null);
  await vi.advanceTimersByTimeAsync(900_000);
  // Whoever closes the page now knows that it is still here, and why.
  expect(held.uplink.status()).toMatchObject({ refused: 0, unreadable: 1, isDone: false });
  expect([said, reads > 10, reads < 25]).toEqual([[], true, true]);
  isBusy = false;
  await vi.advanceTimersByTimeAsync(75_000);
  held.uplink.destroy();
  expect([...stored.keys()]).toEqual([0, 1, 2, 3, 4, 5]);
  expect(said).toEqual([{ said: "end", body: { last: { main: 5 } } }]);
});

it("does not say the end while nobody knows yet that what cannot be read needs another number", async () => {
  vi.spyOn(console, "error").mockReturnValue();
  const held = await open();
  held.keep(footage(1));
  held.mark("ended", true);
  disk.unreadable = () => new DOMException("busy", "NotReadableError");
  await vi.advanceTimersByTimeAsync(300_000);
  expect([said, held.uplink.status()]).toMatchObject([[], { unreadable: 1, isDone: false }]);
  disk.unreadable = () => null;
  await vi.advanceTimersByTimeAsync(75_000);
  held.uplink.destroy();
  expect([...stored.keys()]).toEqual([0, 1, 2, 3, 4, 5]);
  expect(said).toEqual([{ said: "end", body: { last: { main: 5 } } }]);
});

it("does not wait with the end for what is damaged, and has a number that is taken", async () => {
  vi.spyOn(console, "error").mockReturnValue();
  const held = await open();
  held.keep(footage(1));
  held.mark("ended", true);
  // It is read to be sent, and is gone when it is to be kept under another number.
  let reads = 0;
  disk.unreadable = () => (++reads > 1 ? new DOMException("gone", "NotFoundError") : null);
  await vi.advanceTimersByTimeAsync(60_000);
  held.uplink.destroy();
  expect(held.uplink.status()).toMatchObject({ refused: 1, unreadable: 0, isDone: false });
  expect([said, reads]).toEqual([[{ said: "end", body: { last: { main: 4 } } }], 2]);
});

it("says the end though the file of the old number cannot be removed, and the next visit finds it once", async () => {
  vi.spyOn(console, "error").mockReturnValue();
  vi.spyOn(console, "warn").mockReturnValue();
  disk.stuck = (name) => (name.startsWith("00000000-") ? new DOMException("in use", "NoModificationAllowedError") : null);
  const held = await open();
  held.keep(footage(1));
  held.mark("ended", true);
  await vi.advanceTimersByTimeAsync(30_000);
  held.uplink.destroy();
  expect([...stored.keys()]).toEqual([0, 1, 2, 3, 4, 5]);
  expect([said, events.lost.mock.calls]).toEqual([[{ said: "end", body: { last: { main: 5 } } }], []]);
  expect((await disk.names("b")).some((name) => name.startsWith("00000000-"))).toBe(true);
  disk.stuck = () => null;
  const again = await open();
  again.uplink.destroy();
  expect(again.spool.found.segments.map(({ seq }) => seq)).toEqual([5]);
});

it("says that what waits for another number is still to be sent, and is not refused", async () => {
  vi.spyOn(console, "warn").mockReturnValue();
  vi.spyOn(console, "error").mockReturnValue();
  const held = await open();
  held.keep(footage(1));
  held.mark("ended", true);
  await vi.advanceTimersByTimeAsync(0);
  disk.failure = () => new DOMException("full", "QuotaExceededError");
  await vi.advanceTimersByTimeAsync(30_000);
  expect([said, held.status()]).toMatchObject([[], { owed: { segments: 1 }, refused: 0, unreadable: 0 }]);
  disk.failure = () => null;
  await vi.advanceTimersByTimeAsync(30_000);
  held.uplink.destroy();
  expect([[...stored.keys()].at(-1), said]).toEqual([5, [{ said: "end", body: { last: { main: 5 } } }]]);
});

it("gives one other number to what two recorders call taken", async () => {
  for (const say of ["warn", "error"] as const) vi.spyOn(console, say).mockReturnValue();
  [another, slow_ms, stored] = ["http://s", { "http://r": 4_000 }, new Map([[0, "other"]])];
  const held = await open();
  await vi.advanceTimersByTimeAsync(3_000);
  stored.set(1, "other");
  // So that it keeps waiting for its other number until both have answered, and could have two then.
  let reads = 0;
  disk.unreadable = () => (++reads === 3 ? new DOMException("busy", "NotReadableError") : null);
  disk.stuck = (name) => (name.startsWith("00000001-") ? new DOMException("in use", "NoModificationAllowedError") : null);
  held.keep({ ...footage(1), captured_ms: runningTime_ms() - 1_000, duration_ms: 1_000 });
  await vi.advanceTimersByTimeAsync(30_000);
  held.uplink.destroy();
  expect([reads > 3, [...stored.keys()]]).toEqual([true, [0, 1, 2]]);
});

it("sends nothing more under a number that is taken, and believes no late word on it", async () => {
  [another, unaware, slow_ms] = ["http://s", "http://r", { "http://r": 15_000 }];
  stored = new Map([[0, "other"]]);
  const held = await open();
  await vi.advanceTimersByTimeAsync(3_000);
  stored.set(1, "other");
  // It waits for its other number until the first one has answered.
  disk.failure = (name) => (name.startsWith("others-00000001-") ? new DOMException("full", "QuotaExceededError") : null);
  vi.spyOn(console, "warn").mockReturnValue();
  held.keep(footage(1));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(put).toEqual(["1.ts http://r", "1.ts http://s"]);
  disk.failure = () => null;
  await vi.advanceTimersByTimeAsync(2_000);
  expect((await disk.names("b")).some((name) => name.startsWith("00000002-"))).toBe(true);
  await vi.advanceTimersByTimeAsync(30_000);
  held.uplink.destroy();
  expect([...new Set(put.slice(2).map((one) => one.split(" ")[0]))]).toEqual(["2.ts"]);
  expect(held.uplink.status()).toMatchObject({ recorded: { segments: 1 }, next: 3 });
});

it("notes what the others have, so that a reload takes nothing of theirs as lost here", async () => {
  const held = await open();
  held.keep(footage(1));
  await vi.advanceTimersByTimeAsync(5_000);
  held.keep(footage(2));
  await vi.advanceTimersByTimeAsync(5_000);
  // More of the others come, and our next number is behind them.
  for (let seq = 7; seq <= 20; seq++) stored.set(seq, "other");
  await vi.advanceTimersByTimeAsync(15_000);
  held.keep(footage(3));
  await vi.advanceTimersByTimeAsync(1_000);
  held.uplink.destroy();
  const folder = await disk.spool("b");
  const found = await Promise.all([...folder.files].map(async ([name, file]) => ({ name, bytes: file.kind === "file" ? file.bytes.length : 0 })));
  const listing = readListing(found);
  expect(listing.segments.map(({ seq }) => seq)).toEqual([5, 6, 21]);
  expect([listing.lost, listing.torn, listing.twice]).toEqual([[], [], []]);
});
