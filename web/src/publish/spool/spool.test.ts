/** A spool on a disk that has no room, fails, or has lost something. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { digestOf } from "../uplink/blake3";
import { FakeDisk } from "./files.fake";
import { initName, type SegmentFile, segmentName } from "./names";
import { Spool, titleOf } from "./spool";

const given = { id: "b", server: "http://r", token: "t", title: "" };
const init = new Uint8Array([1, 2, 3, 4]);
const name = initName(digestOf(init));
const full = () => new DOMException("full", "QuotaExceededError");
let disk: FakeDisk;
let spool: Spool;

beforeEach(async () => {
  disk = new FakeDisk();
  vi.stubGlobal("navigator", disk.navigator);
  vi.spyOn(console, "warn").mockReturnValue();
  spool = (await Spool.open("b", given))!;
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

function segmentOf(seq: number, bytes: Uint8Array): SegmentFile {
  return { seq, captured_ms: seq * 2_000, duration_ms: 2_000, bytes: bytes.length, digest: digestOf(bytes), container: "ts", init: null };
}

async function bytesOf(name: string): Promise<number[]> {
  const file = (await disk.spool("b")).files.get(name);
  return file?.kind === "file" ? [...file.bytes] : [];
}

it("keeps the init section that all segments need, whatever a write after it fails of", async () => {
  const { digest } = await spool.keepInit(init);
  for (const failure of [full, () => new DOMException("broken", "InvalidStateError")]) {
    disk.failure = failure;
    expect(await spool.keepInit(init)).toEqual({ digest, isWritten: false });
    expect([...(await spool.readInit(digest))]).toEqual([...init]);
  }
});

it("does not touch an init section that cannot be read now", async () => {
  const { digest } = await spool.keepInit(init);
  disk.unreadable = () => new DOMException("busy", "NotReadableError");
  await expect(spool.keepInit(init)).rejects.toThrow("busy");
  disk.unreadable = () => null;
  expect([...(await spool.readInit(digest))]).toEqual([...init]);
});

it.each([["torn", [1, 2]], ["empty", []]])("sends no init section that is %s, and writes it again", async (_, left) => {
  const { digest } = await spool.keepInit(init);
  const file = (await disk.spool("b")).files.get(name);
  if (file?.kind === "file") file.bytes = new Uint8Array(left);
  await expect(spool.readInit(digest)).rejects.toThrow("damaged");
  expect(await spool.keepInit(init)).toEqual({ digest, isWritten: true });
  expect(await bytesOf(name)).toEqual([...init]);
});

it("deletes what is safe also where there is no room for its name", async () => {
  const bytes = new Uint8Array([7, 7]);
  const segment = segmentOf(0, bytes);
  await spool.keep(segment, bytes);
  const { files } = await disk.spool("b");
  disk.failure = () => (files.has(segmentName(segment)) ? full() : null);
  await spool.remove(segment);
  const { segments, gone, lost } = (await Spool.open("b", null))!.found;
  expect([segments, gone, lost]).toEqual([[], [segment], []]);
});

it("says that there is no room also where that is needed for a name only", async () => {
  disk.failure = full;
  for (const noted of [spool.mark("ended"), spool.noteOthers([0, 1]), spool.noteClock({ from: 0, offset_ms: 1 }, null)]) {
    await expect(noted).rejects.toThrow(/^full$/);
    await noted.catch((error: unknown) => expect(error?.constructor.name).toBe("SpoolFull"));
  }
});

it("opens beside what is torn and cannot be removed", async () => {
  const bytes = new Uint8Array([7, 7]);
  await spool.keep(segmentOf(0, bytes), bytes);
  const torn = segmentName(segmentOf(1, new Uint8Array(9)));
  await (await disk.spool("b")).getFileHandle(torn, { create: true });
  disk.stuck = (name) => (name === torn ? new DOMException("busy", "NoModificationAllowedError") : null);
  const { found } = (await Spool.open("b", null))!;
  expect([found.segments.map(({ seq }) => seq), found.torn]).toEqual([[0], [torn]]);
});

it("forgets what was noted of the clock for what was never recorded", async () => {
  await spool.noteClock({ from: 5, offset_ms: 7 }, null);
  expect((await Spool.open("b", null))!.found.clocks).toEqual([]);
  expect(await disk.names("b")).toEqual(["about-1.json"]);
});

it("tells another tab what it is of, also while that is written down anew", async () => {
  await spool.describe({ ...spool.about, title: "Regatta" });
  expect(await titleOf("b")).toBe("Regatta");
  await expect(titleOf("x")).rejects.toThrow("no x");
});

it("changes nothing any more once it is closed, and what was begun is done by then", async () => {
  const kept = spool.keep(segmentOf(0, new Uint8Array([1])), new Uint8Array([1]));
  await spool.close();
  const before = await disk.names("b");
  expect(before).toContain(segmentName(segmentOf(0, new Uint8Array([1]))));
  await kept;
  for (const change of [spool.mark("ended"), spool.keepInit(init), spool.describe(spool.about), spool.remove(segmentOf(0, new Uint8Array([1])))]) {
    await expect(change).rejects.toThrow("another tab has this spool");
  }
  expect(await disk.names("b")).toEqual(before);
});
