/** What was recorded in an earlier run keeps its time, though this run has another clock. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Held } from "../keeper/held";
import { FakeDisk } from "../spool/files.fake";
import { digestOf } from "./blake3";
import type { Request } from "./exchange";
import { offsetOf, toNote } from "./times";
import { runningTime_ms } from "./uplink";

/** How far the recorder's clock is ahead of ours, and whether it takes segments. */
let ahead_ms = 0;
let takes = false;
const captured: Record<string, number> = {};
/** All times with which each segment was sent. */
const sent = new Map<string, number[]>();

vi.mock("./exchange", async (original) => ({
  ...(await original<object>()),
  exchange: async (request: Request) => answer(request),
}));

async function answer({ method, url, headers, body }: Request) {
  const ok = (json: unknown) => ({ status: 200, retryAfter: null, json });
  if (url.endsWith("/route")) return { ...ok(null), status: 404 };
  if (method === "GET") return ok({ state: "live", server_time_ms: runningTime_ms() + ahead_ms, renditions: { main: {} } });
  if (!takes || method === "POST") return { ...ok(null), status: 503 };
  const [, seq] = /(\d+)\.ts$/.exec(url)!;
  captured[seq!] = Number(headers!["segment-captured-at"]);
  sent.set(seq!, [...(sent.get(seq!) ?? []), captured[seq!]!]);
  return ok({ digest: digestOf(body as Uint8Array), safe: false });
}

let disk = new FakeDisk();
const events = { kept: vi.fn(), lost: vi.fn() };
const open = async () => (await Held.open("b", { id: "b", server: "http://r", token: "t", title: "" }, () => 1e9, events))!;
const footage = (byte: number, captured_ms: number) =>
  ({ bytes: new Uint8Array([byte]), captured_ms, duration_ms: 2_000, container: "ts", init: null }) as const;

beforeEach(() => {
  sent.clear();
  for (const seq of Object.keys(captured)) delete captured[seq];
  vi.useFakeTimers();
  disk = new FakeDisk();
  vi.stubGlobal("navigator", disk.navigator);
  vi.spyOn(crypto.subtle, "digest").mockResolvedValue(new ArrayBuffer(32));
  for (const say of ["warn", "error"] as const) vi.spyOn(console, say).mockReturnValue();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

it("a segment is dated by the clock of the run that recorded it", async () => {
  const captured_ms = Math.round(runningTime_ms()) - 2_000;
  // Ours goes ahead by fifty seconds, and is put right before the next run.
  ahead_ms = -50_000;
  let held = await open();
  held.keep(footage(0, captured_ms));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await disk.names("b")).toContain("clock-00000000--50000");
  held.uplink.destroy();
  [ahead_ms, takes] = [0, true];
  held = await open();
  held.keep(footage(1, captured_ms));
  await vi.advanceTimersByTimeAsync(20_000);
  held.uplink.destroy();
  expect(captured).toEqual({ 0: captured_ms - 50_000, 1: captured_ms });
  expect((await disk.names("b")).filter((name) => name.startsWith("clock-"))).toEqual(["clock-00000000--50000", "clock-00000001-0"]);
});

it("a segment that is sent again after our clock was set has the time that it had", async () => {
  const captured_ms = Math.round(runningTime_ms()) - 2_000;
  [ahead_ms, takes] = [7_000, true];
  let held = await open();
  held.keep(footage(0, captured_ms));
  await vi.advanceTimersByTimeAsync(5_000);
  expect(captured).toEqual({ 0: captured_ms + 7_000 });
  // The recorder has lost it, and the page has only what is on its disk: it is sent again.
  held.uplink.destroy();
  sent.clear();
  ahead_ms = 90_000;
  held = await open();
  await vi.advanceTimersByTimeAsync(20_000);
  held.uplink.destroy();
  expect(new Set(sent.get("0"))).toEqual(new Set([captured_ms + 7_000]));
});

it("a clock that was set within a run dates what is recorded from then on", async () => {
  const captured_ms = Math.round(runningTime_ms()) - 2_000;
  [ahead_ms, takes] = [0, false];
  const held = await open();
  held.keep(footage(0, captured_ms));
  await vi.advanceTimersByTimeAsync(30_000);
  ahead_ms = 90_000;
  await vi.advanceTimersByTimeAsync(300_000);
  held.keep(footage(1, captured_ms));
  takes = true;
  await vi.advanceTimersByTimeAsync(300_000);
  held.uplink.destroy();
  expect(captured).toEqual({ 0: captured_ms, 1: captured_ms + 90_000 });
});

it.each([
  [0, 5_000],
  [9, 5_000],
  // Of this run it was never learned how its clock stood.
  [10, null],
  [25, -3],
])("segment %d: %j", (seq, offset_ms) => {
  const notes = [{ from: 20, offset_ms: -3 }, { from: 0, offset_ms: null }, { from: 10, offset_ms: null }, { from: 0, offset_ms: 5_000 }];
  expect(offsetOf(notes, seq)).toBe(offset_ms);
});

it("without a note there is no offset", () => {
  expect(offsetOf([], 3)).toBeNull();
});

const note = (from: number, offset_ms: number | null) => ({ from, offset_ms });

it.each([
  ["nothing was recorded", [], 0, 0, 5, []],
  ["the first, while nobody answers", [], 0, 1, null, [[note(0, null), null]]],
  ["and then somebody does", [note(0, null)], 0, 3, 5, [[note(0, 5), note(0, null)]]],
  ["another run begins", [note(0, 5)], 3, 4, 6, [[note(3, 6), null]]],
  ["nothing is new", [note(0, 5)], 0, 3, 5, []],
  ["a clock was set", [note(0, 5)], 0, 3, 9, [[note(3, 9), null]]],
  ["twice, before anything was recorded with it", [note(0, 5), note(3, 9)], 0, 3, 8, [[note(3, 8), note(3, 9)]]],
  ["what earlier runs never learned", [note(0, null), note(2, null)], 4, 4, 5, [[note(0, 5), note(0, null)], [note(2, 5), note(2, null)]]],
  ["a note that was to be replaced, and is still there", [note(0, null), note(0, 5)], 0, 1, 5, []],
])("%s", (_, notes, from, next, offset_ms, expected) => {
  expect(toNote(notes, from, next, offset_ms).map(({ note, before }) => [note, before])).toEqual(expected);
});
