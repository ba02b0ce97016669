/** What was recorded in an earlier run keeps its time, though this run has another clock. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Held } from "../keeper/held";
import { FakeDisk } from "../spool/files.fake";
import { digestOf } from "./blake3";
import type { Request } from "./exchange";
import { offsetOf } from "./times";
import { runningTime_ms } from "./uplink";

/** How far the recorder's clock is ahead of ours, and whether it takes segments. */
let ahead_ms = 0;
let takes = false;
const captured: Record<string, number> = {};

vi.mock("./exchange", async (original) => ({
  ...(await original<object>()),
  exchange: async (request: Request) => answer(request),
}));

async function answer({ method, url, headers, body }: Request) {
  const ok = (json: unknown) => ({ status: 200, retryAfter: null, json });
  if (url.endsWith("/route")) return { ...ok(null), status: 404 };
  if (method === "GET") return ok({ state: "live", server_time_ms: runningTime_ms() + ahead_ms, renditions: { main: {} } });
  if (!takes || method === "POST") return { ...ok(null), status: 503 };
  captured[/(\d+)\.ts$/.exec(url)![1]!] = Number(headers!["segment-captured-at"]);
  return ok({ digest: digestOf(body as Uint8Array), safe: false });
}

let disk = new FakeDisk();
const events = { kept: vi.fn(), lost: vi.fn() };
const open = async () => (await Held.open("b", { id: "b", server: "http://r", token: "t", title: "" }, () => 1e9, events))!;
const footage = (byte: number, captured_ms: number) =>
  ({ bytes: new Uint8Array([byte]), captured_ms, duration_ms: 2_000, container: "ts", init: null }) as const;

beforeEach(() => {
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

it.each([
  [0, 5_000],
  [9, 5_000],
  // Of this run it was never learned how its clock stood.
  [10, null],
  [25, -3],
  // This run's own.
  [30, null],
])("segment %d: %j", (seq, offset_ms) => {
  const notes = [{ from: 20, offset_ms: -3 }, { from: 0, offset_ms: null }, { from: 10, offset_ms: null }, { from: 0, offset_ms: 5_000 }];
  expect(offsetOf(notes, seq, 30)).toBe(offset_ms);
});

it("without a note there is no offset", () => {
  expect(offsetOf([], 3, 10)).toBeNull();
});
