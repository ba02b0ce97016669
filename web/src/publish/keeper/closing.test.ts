/** The owner ends the broadcast while its publisher has no network. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { digestOf, digestOfRange } from "../uplink/blake3";
import type { Request } from "../uplink/exchange";
import { RemoteFailure } from "../uplink/failure";
import { runningTime_ms } from "../uplink/running-time";
import type { Held } from "./held";
import { begin, end, footage, open } from "./held.fake";

/** How the recorder is, and what it has. */
let over: "no" | "closing" | "ended" = "no";
let isAway = false;
let stored = new Map<number, string>();
let said: { said: string; body: unknown }[] = [];

vi.mock("../uplink/exchange", async (original) => ({
  ...(await original<object>()),
  exchange: async ({ method, url, body }: Request) => answer(method, url, body),
}));

async function answer(method: string, url: string, body: Request["body"]) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  if (isAway) throw new RemoteFailure("unreachable", "cannot be reached");
  const ok = (json: unknown) => ({ status: 200, retryAfter: null, json });
  const closing = over === "closing";
  if (method === "GET" && url.endsWith("/route")) return { ...ok(null), status: 404 };
  if (method === "GET") return ok({ state: over === "no" ? "live" : "ended", closing, server_time_ms: runningTime_ms(), renditions: { main: arrived() } });
  if (method === "POST") {
    const [text, word] = [String(body ?? ""), url.split("/").at(-1)!];
    said.push({ said: word, body: text === "" ? null : JSON.parse(text) });
    if (word === "end") over = "ended";
    return ok(null);
  }
  if (over === "ended") return { ...ok({ type: "/problems/ended" }), status: 409 };
  const digest = digestOf(body as Uint8Array);
  stored.set(Number(/(\d+)\.ts$/.exec(url)![1]), digest);
  return ok({ digest, safe: true, closing });
}

function arrived() {
  const ranges = [...stored.keys()].map((seq) => [seq, seq]);
  return { stored: ranges, stored_digests: [...stored.values()].map((digest) => digestOfRange([digest])), safe: ranges };
}

beforeEach(() => {
  begin();
  [over, isAway, stored, said] = ["no", false, new Map(), []];
});
afterEach(end);

async function record(held: Held, from: number, to: number) {
  for (let byte = from; byte < to; byte++) {
    held.keep(footage(byte));
    await vi.advanceTimersByTimeAsync(2_000);
  }
}

it("sends all that was recorded before it heard of that, and says where it ends", async () => {
  const held = await open();
  await record(held, 0, 2);
  expect([[...stored.keys()], held.uplink.status().endedByOwner]).toEqual([[0, 1], false]);
  isAway = true;
  over = "closing";
  await record(held, 2, 6);
  expect(held.uplink.status().endedByOwner).toBe(false);
  isAway = false;
  await vi.advanceTimersByTimeAsync(15_000);
  const heard = held.uplink.status();
  expect([heard.endedByOwner, heard.endedThere, said]).toEqual([true, false, []]);
  // The last moments, and the word of the page.
  await record(held, 6, 7);
  held.mark("ended", true);
  await vi.advanceTimersByTimeAsync(15_000);
  const done = held.uplink.status();
  expect([...stored.keys()].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(said).toEqual([{ said: "end", body: { last: { main: 6 } } }]);
  expect([done.endedByOwner, done.isDone, done.refused]).toEqual([true, true, 0]);
  held.uplink.destroy();
});

it("who has recorded nothing leaves it to others to say where it ends", async () => {
  const held = await open();
  over = "closing";
  held.mark("ended", true);
  await vi.advanceTimersByTimeAsync(15_000);
  expect([said, held.uplink.status().isDone]).toEqual([[], true]);
});

it("hears of it by the next acknowledgement, and says nothing of pauses from then on", async () => {
  const held = await open();
  await record(held, 0, 2);
  over = "closing";
  await record(held, 2, 3);
  expect(held.uplink.status().endedByOwner).toBe(true);
  held.mark("paused", true);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(said).toEqual([]);
  held.uplink.destroy();
});

it("tells that the end is why nothing more is taken", async () => {
  const held = await open();
  await record(held, 0, 2);
  isAway = true;
  await record(held, 2, 4);
  over = "ended";
  isAway = false;
  await vi.advanceTimersByTimeAsync(15_000);
  const { refused, isRefusedByEnd, isDone } = held.uplink.status();
  expect([refused, isRefusedByEnd, isDone]).toEqual([2, true, false]);
  held.uplink.destroy();
});
