/** What was recorded in an earlier run keeps its time, though this run has another clock. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Held } from "../keeper/held";
import { FakeDisk } from "../spool/files.fake";
import { digestOf } from "./blake3";
import type { Request } from "./exchange";
import { RemoteFailure } from "./failure";
import { type ClockNote, type ClockNow, offsetOf, toNote, toNoteOfRenumbered } from "./times";
import { deviceAhead_ms, runningTime_ms } from "./running-time";

/** How far the recorder's clock is ahead of ours, whether it answers, takes segments, and which of them it has of others. */
let ahead_ms = 0;
let answers = true;
let takes = false;
let taken: string[] = [];
/** How far ahead of its clock it takes what was captured, and how often it has refused that. */
const AHEAD_MAX_MS = 60_000;
let refused = 0;
/** How long what it answers of itself is on its way. */
let late: Promise<void> | null = null;
const captured: Record<string, number> = {};
/** All times with which each segment was sent. */
const sent = new Map<string, number[]>();

vi.mock("./exchange", async (original) => ({
  ...(await original<object>()),
  exchange: async (request: Request) => answer(request),
}));

async function answer({ method, url, headers, body }: Request) {
  const ok = (json: unknown) => ({ status: 200, retryAfter: null, json });
  if (!answers) throw new RemoteFailure("unreachable", "cannot be reached");
  if (url.endsWith("/route")) return { ...ok(null), status: 404 };
  if (method === "GET") {
    const told = ok({ state: "live", server_time_ms: runningTime_ms() + ahead_ms, renditions: { main: {} } });
    await late;
    return told;
  }
  if (!takes || method === "POST") return { ...ok(null), status: 503 };
  const [, seq] = /(\d+)\.ts$/.exec(url)!;
  if (taken.includes(seq!)) return { ...ok({ type: "/problems/other-bytes-stored" }), status: 409 };
  const server_time_ms = runningTime_ms() + ahead_ms;
  if (Number(headers!["segment-captured-at"]) > server_time_ms + AHEAD_MAX_MS) {
    refused += 1;
    return { ...ok({ type: "/problems/unprocessable", server_time_ms }), status: 422 };
  }
  captured[seq!] = Number(headers!["segment-captured-at"]);
  sent.set(seq!, [...(sent.get(seq!) ?? []), captured[seq!]!]);
  return ok({ digest: digestOf(body as Uint8Array), safe: false });
}

let disk = new FakeDisk();
const events = { kept: vi.fn(), lost: vi.fn() };
const open = async () => (await Held.open("b", { id: "b", server: "http://r", token: "t", title: "" }, () => 1e9, events))!;
const footage = (byte: number, captured_ms: number) =>
  ({ bytes: new Uint8Array([byte]), captured_ms, ahead_ms: deviceAhead_ms(), duration_ms: 2_000, container: "ts", init: null }) as const;

beforeEach(() => {
  [answers, takes, taken, late, refused] = [true, false, [], null, 0];
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

it("live is as far behind as the oldest picture of what has just arrived", async () => {
  const captured_ms = Math.round(runningTime_ms()) - 2_000;
  [ahead_ms, takes] = [0, true];
  const held = await open();
  held.keep(footage(0, captured_ms));
  await vi.advanceTimersByTimeAsync(1_000);
  const { latency_ms, newestArrived_ms } = held.uplink.status();
  held.uplink.destroy();
  expect(newestArrived_ms).toBe(captured_ms + 2_000);
  expect(latency_ms).toBeGreaterThanOrEqual(2_000);
  expect(latency_ms).toBeLessThan(3_000);
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

it("a note is read again, though the clocks differ by no whole number of milliseconds", async () => {
  const captured_ms = Math.round(runningTime_ms()) - 2_000;
  ahead_ms = -50_000.37;
  let held = await open();
  held.keep(footage(0, captured_ms));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await disk.names("b")).toContain("clock-00000000--50000");
  held.uplink.destroy();
  [ahead_ms, takes] = [0, true];
  held = await open();
  await vi.advanceTimersByTimeAsync(20_000);
  held.uplink.destroy();
  expect(captured).toEqual({ 0: captured_ms - 50_000 });
  expect(held.spool.found.clocks).toEqual([{ from: 0, offset_ms: -50_000 }]);
});

const MINUTE_MS = 60_000;

/** Somebody sets the clock of the device. */
function set(by_ms: number) {
  vi.setSystemTime(Date.now() + by_ms);
}

/** The device sleeps: nothing of it goes on but the clock that anybody may set. */
function sleep(duration_ms: number) {
  set(duration_ms);
  ahead_ms += duration_ms;
}

/** Records a segment: when it was captured by our clock. */
async function record(held: Held, seq: number): Promise<number> {
  await vi.advanceTimersByTimeAsync(2_000);
  const captured_ms = Math.round(runningTime_ms()) - 2_000;
  held.keep(footage(seq, captured_ms));
  await vi.advanceTimersByTimeAsync(300);
  return captured_ms;
}

/** With which times each segment was sent, in order. */
function timesSent(): [number, number[]][] {
  const times = [...sent].map(([seq, all]): [number, number[]] => [Number(seq), [...new Set(all)]]);
  return times.sort(([a], [b]) => a - b);
}

/** What was done to the clocks before each segment, where there is no network; and how far off each one's time is then. */
it.each<[string, { isKnown: boolean }, (() => void)[], number[]]>([
  ["a device that slept", { isKnown: true }, [() => sleep(30 * MINUTE_MS)], [30]],
  ["a clock that was set", { isKnown: true }, [() => set(30 * MINUTE_MS)], [0]],
  ["a clock that was set back", { isKnown: true }, [() => set(-30 * MINUTE_MS)], [0]],
  ["two naps", { isKnown: true }, [() => sleep(30 * MINUTE_MS), () => sleep(5 * MINUTE_MS)], [30, 35]],
  ["two naps before anybody has ever answered", { isKnown: false }, [() => sleep(30 * MINUTE_MS), () => sleep(5 * MINUTE_MS)], [30, 35]],
  ["a clock that was set, and a nap", { isKnown: true }, [() => set(30 * MINUTE_MS), () => sleep(5 * MINUTE_MS)], [0, 5]],
])("%s dates what is recorded next as it was", async (_, { isKnown }, changes, off_min) => {
  [ahead_ms, takes, answers] = [7_000, true, isKnown];
  const held = await open();
  const at_ms = [await record(held, 0)];
  answers = false;
  for (const [index, change] of changes.entries()) {
    await vi.advanceTimersByTimeAsync(3_000);
    change();
    at_ms.push(await record(held, index + 1));
  }
  answers = true;
  await vi.advanceTimersByTimeAsync(60_000);
  held.uplink.destroy();
  // The recorder tells of none that it has, so they are sent again, always with the same time.
  expect(timesSent()).toEqual([0, ...off_min].map((minutes, seq) => [seq, [at_ms[seq]! + 7_000 + minutes * MINUTE_MS]]));
});

/** What is done to the clocks while some that was recorded cannot be written; whether anybody answers before it can be. */
it.each<[string, { written: number; isKnown: boolean; isAnswered: boolean }, () => void, number]>([
  ["the device slept", { written: 1, isKnown: true, isAnswered: true }, () => sleep(30 * MINUTE_MS), 30],
  ["the device slept, and nobody answers", { written: 1, isKnown: true, isAnswered: false }, () => sleep(30 * MINUTE_MS), 30],
  ["the device slept before anything was written", { written: 0, isKnown: true, isAnswered: true }, () => sleep(30 * MINUTE_MS), 30],
  ["the device slept before anybody has ever answered", { written: 1, isKnown: false, isAnswered: false }, () => sleep(30 * MINUTE_MS), 30],
  ["the device slept before anything", { written: 0, isKnown: false, isAnswered: true }, () => sleep(30 * MINUTE_MS), 30],
  ["the clock was set", { written: 1, isKnown: true, isAnswered: true }, () => set(30 * MINUTE_MS), 0],
  ["the clock was set, and nobody answers", { written: 1, isKnown: true, isAnswered: false }, () => set(30 * MINUTE_MS), 0],
  ["the clock was set back before anything was written", { written: 0, isKnown: true, isAnswered: true }, () => set(-30 * MINUTE_MS), 0],
])("what waited to be written when %s has the time at which it was captured", async (_, { written, isKnown, isAnswered }, change, off_min) => {
  [ahead_ms, takes, answers] = [7_000, true, isKnown];
  let held = await open();
  await vi.advanceTimersByTimeAsync(1_000);
  const at_ms: number[] = [];
  while (at_ms.length < written) at_ms.push(await record(held, at_ms.length));
  disk.failure = (name) => (/^\d/.test(name) ? new DOMException("busy", "InvalidStateError") : null);
  while (at_ms.length < 3) at_ms.push(await record(held, at_ms.length));
  answers = isAnswered;
  change();
  await vi.advanceTimersByTimeAsync(5_000);
  at_ms.push(await record(held, 3));
  disk.failure = () => null;
  await vi.advanceTimersByTimeAsync(5_000);
  at_ms.push(await record(held, 4));
  answers = true;
  await vi.advanceTimersByTimeAsync(60_000);
  held.uplink.destroy();
  // The same in the next run, should it have to send them again.
  held = await open();
  await vi.advanceTimersByTimeAsync(60_000);
  held.uplink.destroy();
  const expected = at_ms.map((captured_ms, seq) => [seq, [captured_ms + 7_000 + (seq < 3 ? 0 : off_min) * MINUTE_MS]]);
  expect(timesSent()).toEqual(expected);
});

it("an answer to a question from before the device slept says nothing of what is recorded after it", async () => {
  [ahead_ms, takes] = [7_000, true];
  const held = await open();
  await record(held, 0);
  let arrive: () => void = () => undefined;
  late = new Promise((resolve) => (arrive = resolve));
  // It is asked as often as that.
  await vi.advanceTimersByTimeAsync(10_000);
  sleep(30 * MINUTE_MS);
  late = new Promise(() => undefined);
  arrive();
  const at_ms = await record(held, 1);
  expect(captured).not.toHaveProperty("1");
  late = null;
  held.uplink.destroy();
  const again = await open();
  await vi.advanceTimersByTimeAsync(10_000);
  again.uplink.destroy();
  expect(captured[1]).toBe(at_ms + 7_000 + 30 * MINUTE_MS);
});

it.each([
  ["anybody answers again", true],
  ["anybody has ever answered", false],
])("what was recorded before and after the device slept keeps its time when the page is closed before %s", async (_, isKnown) => {
  [ahead_ms, takes, answers] = [7_000, true, isKnown];
  let held = await open();
  const at_ms = [await record(held, 0)];
  answers = false;
  sleep(30 * MINUTE_MS);
  at_ms.push(await record(held, 1));
  held.uplink.destroy();
  answers = true;
  held = await open();
  await vi.advanceTimersByTimeAsync(60_000);
  held.uplink.destroy();
  expect([0, 1].map((seq) => captured[seq]! - at_ms[seq]! - 7_000)).toEqual([0, 30 * MINUTE_MS]);
});

it("an end that is refused keeps nobody from asking what a leap of the clock means", async () => {
  const captured_ms = Math.round(runningTime_ms()) - 2_000;
  [ahead_ms, takes] = [0, false];
  const held = await open();
  held.keep(footage(0, captured_ms));
  await vi.advanceTimersByTimeAsync(1_000);
  held.mark("ended", true);
  await vi.advanceTimersByTimeAsync(1_000);
  set(60 * MINUTE_MS);
  takes = true;
  await vi.advanceTimersByTimeAsync(60_000);
  held.uplink.destroy();
  expect(Object.keys(captured)).toEqual(["0"]);
});

it("asks at once what the time is of who calls it ahead, and goes on", async () => {
  [ahead_ms, takes] = [0, true];
  const held = await open();
  await record(held, 0);
  // It has been asked just now, and its clock is put right.
  await vi.advanceTimersByTimeAsync(8_300);
  ahead_ms = -300_000;
  const at_ms = Math.round(runningTime_ms()) - 2_000;
  held.keep(footage(1, at_ms));
  await vi.advanceTimersByTimeAsync(1_000);
  held.uplink.destroy();
  expect([captured[1]! <= at_ms - 299_000, refused, held.status().trouble]).toEqual([true, 1, null]);
});

it("what was noted for what was never recorded is not the next run's", async () => {
  takes = false;
  [ahead_ms, answers] = [0, true];
  let held = await open();
  await record(held, 0);
  sleep(60 * MINUTE_MS);
  await vi.advanceTimersByTimeAsync(20_000);
  held.uplink.destroy();
  expect((await disk.names("b")).filter((name) => name.startsWith("clock-"))).toEqual(["clock-00000000-0", "clock-00000001-3600000"]);
  // The next page begins where the device's clock is.
  [ahead_ms, answers] = [0, false];
  held = await open();
  const at_ms = await record(held, 1);
  [answers, takes] = [true, true];
  await vi.advanceTimersByTimeAsync(60_000);
  held.uplink.destroy();
  expect(captured[1]).toBe(at_ms);
});

it("what gets another number keeps its time, and what is recorded after it has its own", async () => {
  const captured_ms = Math.round(runningTime_ms()) - 2_000;
  ahead_ms = -50_000;
  let held = await open();
  held.keep(footage(0, captured_ms));
  await vi.advanceTimersByTimeAsync(1_000);
  held.uplink.destroy();
  [ahead_ms, takes, taken] = [0, true, ["0"]];
  held = await open();
  await vi.advanceTimersByTimeAsync(20_000);
  held.keep(footage(1, captured_ms + 21_000));
  await vi.advanceTimersByTimeAsync(20_000);
  held.uplink.destroy();
  expect(captured).toEqual({ 1: captured_ms - 50_000, 2: captured_ms + 21_000 });
  // The same in the next run, should it have to send them again.
  sent.clear();
  held = await open();
  await vi.advanceTimersByTimeAsync(20_000);
  held.uplink.destroy();
  expect([...sent].map(([seq, [time_ms]]) => [seq, time_ms]).sort()).toEqual([["1", captured_ms - 50_000], ["2", captured_ms + 21_000]]);
});

it("a note that cannot be written is written later, and nothing is sent before that", async () => {
  takes = true;
  let failures = 0;
  disk.failure = (name) => (name.startsWith("clock-") && ++failures === 1 ? new DOMException("busy", "InvalidStateError") : null);
  const held = await open();
  held.keep(footage(0, Math.round(runningTime_ms()) - 2_000));
  await vi.advanceTimersByTimeAsync(500);
  expect([failures, [...sent]]).toEqual([1, []]);
  await vi.advanceTimersByTimeAsync(2_000);
  held.uplink.destroy();
  expect([await disk.names("b"), sent.size]).toEqual([expect.arrayContaining(["clock-00000000-0"]), 1]);
});

it.each([
  ["InvalidStateError", 2_000],
  ["QuotaExceededError", 500],
])("a note that can never be written (%s) keeps nothing here for long", async (name, wait_ms) => {
  takes = true;
  disk.failure = (file) => (file.startsWith("clock-") ? new DOMException("no", name) : null);
  const held = await open();
  held.keep(footage(0, Math.round(runningTime_ms()) - 2_000));
  await vi.advanceTimersByTimeAsync(wait_ms);
  held.uplink.destroy();
  expect(sent.size).toBe(1);
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

const note = (from: number, offset_ms: number | null, ahead_ms?: number): ClockNote => ({ from, offset_ms, ...(ahead_ms === undefined ? {} : { ahead_ms }) });
const answered = (offset_ms: number, ahead_ms = 0): ClockNow => ({ offset_ms, ahead_ms, isConfirmed: true });
const assumed = (offset_ms: number | null, ahead_ms = 0): ClockNow => ({ offset_ms, ahead_ms, isConfirmed: false });

it.each<[string, ClockNote[], number, number, ClockNow, ClockNote[]]>([
  ["nothing was recorded", [], 0, 0, answered(5), []],
  ["the first, while nobody answers", [], 0, 1, assumed(null), [note(0, null, 0)]],
  ["and then somebody does", [note(0, null, 0)], 0, 3, answered(5), [note(0, 5)]],
  ["another run begins", [note(0, 5)], 3, 4, answered(6), [note(3, 6)]],
  ["nothing is new", [note(0, 5)], 0, 3, answered(5), []],
  ["a clock was set", [note(0, 5)], 0, 3, answered(9), [note(3, 9)]],
  ["twice, before anything was recorded with it", [note(0, 5), note(3, 9)], 0, 3, answered(8), [note(3, 8)]],
  ["what earlier runs never learned", [note(0, null), note(2, null)], 4, 4, answered(5), [note(0, 5), note(2, 5)]],
  ["a note that was to be replaced, and is still there", [note(0, null), note(0, 5)], 0, 1, answered(5), []],
  ["a leap", [note(0, 5)], 0, 3, assumed(65, 60), [note(3, 65, 60)]],
  ["a leap, of which nothing is new", [note(0, 5), note(3, 65, 60)], 0, 4, assumed(65, 60), []],
  ["another one", [note(0, 5), note(3, 65, 60)], 0, 4, assumed(75, 70), [note(4, 75, 70)]],
  ["and it is as was assumed", [note(0, 5), note(3, 65, 60), note(4, 75, 70)], 0, 6, answered(75, 70), [note(3, 65), note(4, 75)]],
  ["the clock was set by the first of them", [note(0, 5), note(3, 65, 60), note(4, 75, 70)], 0, 6, answered(15, 70), [note(3, 5), note(4, 15)]],
  ["a leap, while nobody answers", [note(0, null, 0)], 0, 3, assumed(null, 60), [note(3, null, 60)]],
  ["and then somebody does, after it", [note(0, null, 0), note(3, null, 60)], 0, 6, answered(65, 60), [note(0, 5), note(3, 65)]],
  ["the first after a leap", [note(0, 3)], 1, 2, assumed(65, 60), [note(1, 65, 60)]],
])("%s", (_, notes, from, next, now, expected) => {
  expect(toNote(notes, from, next, now)).toEqual(expected);
});

it.each<[string, ClockNote[], ClockNow, ClockNote[]]>([
  ["has the clock of this run", [note(0, 5), note(3, 6)], answered(5), []],
  ["has that of an earlier one", [note(0, 5)], answered(6), [note(7, 5), note(8, 6)]],
  ["has that of an earlier one, and the device slept since", [note(0, 5)], assumed(66, 60), [note(7, 5), note(8, 66, 60)]],
  ["has none", [], answered(6), []],
])("what is numbered anew %s", (_, notes, now, expected) => {
  expect(toNoteOfRenumbered(notes, 1, 7, now)).toEqual(expected);
});
