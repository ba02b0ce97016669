import { describe, expect, it } from "vitest";
import { playable, readListing } from "./listing";
import { aboutName, clockName, goneName, initName, othersName, readName, type SegmentFile, segmentName } from "./names";

const segment = (seq: number): SegmentFile => ({
  seq,
  captured_ms: 1_790_000_000_000 + seq * 2_000,
  duration_ms: 2_000,
  bytes: 1_000 + seq,
  digest: String(seq).padStart(32, "a"),
  container: "ts",
  init: null,
});
const whole = (seq: number) => ({ name: segmentName(segment(seq)), bytes: 1_000 + seq });
const gone = (seq: number) => ({ name: goneName(segment(seq)), bytes: 0 });

describe("names", () => {
  it("say all of a segment", () => {
    const cmaf: SegmentFile = { ...segment(7), container: "m4s", init: "b".repeat(32) };
    for (const of of [segment(0), segment(99_999_999), cmaf]) {
      expect(readName(segmentName(of))).toEqual({ kind: "segment", segment: of });
      expect(readName(goneName(of))).toEqual({ kind: "gone", segment: of });
    }
    expect(segmentName(segment(12))).toBe(`00000012-1790000024000-2000-1012-${"12".padStart(32, "a")}.ts`);
    expect(readName(initName("c".repeat(32)))).toEqual({ kind: "init", digest: "c".repeat(32) });
    expect(readName(aboutName(3))).toEqual({ kind: "about", version: 3 });
    for (const offset_ms of [null, 0, -51_234, 86_400_000]) {
      const note = { from: 12, offset_ms };
      expect(readName(clockName(note))).toEqual({ kind: "clock", note });
    }
    for (const ahead_ms of [0, 1_800_000, -5_000]) {
      const note = { from: 12, offset_ms: null, ahead_ms };
      expect(readName(clockName(note))).toEqual({ kind: "clock", note });
    }
    // What was assumed is noted as it is.
    expect(clockName({ from: 12, offset_ms: 7, ahead_ms: 3 })).toBe("clock-00000012-7");
    // Earlier versions wrote these.
    expect(readName("clock-00000012-unknown")).toEqual({ kind: "clock", note: { from: 12, offset_ms: null } });
    expect(readName(clockName({ from: 0, offset_ms: -4.7 }))).toEqual({ kind: "clock", note: { from: 0, offset_ms: -5 } });
    expect(readName("clock-00000000-15.133056640625")).toEqual({ kind: "clock", note: { from: 0, offset_ms: 15 } });
  });

  it.each(["", "x.ts", "00000001-1-2-3-zz.ts", "paused", "00000001-1-2-3.ts", `${segmentName(segment(1))}.part`])(
    "%j is not one of ours",
    (name) => expect(readName(name)).toBeNull(),
  );
});

describe("a listing", () => {
  it("in any order is the ledger", () => {
    const listing = readListing([whole(3), gone(0), whole(2), gone(1), { name: aboutName(1), bytes: 9 }, { name: aboutName(2), bytes: 9 }]);
    expect(listing.segments.map(({ seq }) => seq)).toEqual([2, 3]);
    expect(listing.gone.map(({ seq }) => seq)).toEqual([0, 1]);
    expect([listing.torn, listing.lost, listing.about]).toEqual([[], [], [aboutName(2), aboutName(1)]]);
  });

  it("notices what is torn, and what is lost between", () => {
    const torn = { name: segmentName(segment(4)), bytes: 12 };
    const last = readListing([whole(2), whole(3), torn]);
    expect([last.torn, last.lost, last.segments.length]).toEqual([[torn.name], [], 2]);
    const between = readListing([whole(2), torn, whole(5)]);
    expect([between.torn, between.lost]).toEqual([[torn.name], [3, 4]]);
    expect(readListing([]).lost).toEqual([]);
  });

  it("keeps what was given another number once", () => {
    const moved = { ...segment(0), seq: 7 };
    const listing = readListing([whole(0), whole(1), { name: segmentName(moved), bytes: moved.bytes }]);
    expect(listing.segments.map(({ seq }) => seq)).toEqual([1, 7]);
    expect(listing.twice).toEqual([whole(0).name]);
    // Also when it is safe under that one, and deleted here.
    const others = { name: othersName([0, 6]), bytes: 0 };
    expect(readListing([whole(0), { name: goneName(moved), bytes: 0 }, others])).toMatchObject({ segments: [], twice: [whole(0).name], lost: [] });
  });

  it("takes nothing as lost that somebody else has", () => {
    const others = [[0, 0], [2, 6]].map(([first, last]) => ({ name: othersName([first!, last!]), bytes: 0 }));
    const torn = { name: segmentName(segment(8)), bytes: 1 };
    expect(readListing([whole(1), whole(7), ...others, torn, whole(9)]).lost).toEqual([8]);
  });

  it("leaves out what was noted of the clock for numbers that the next run uses", () => {
    const [of0, of2, of4] = [0, 2, 4].map((from) => ({ name: clockName({ from, offset_ms: from }), bytes: 0 }));
    const torn = { name: segmentName(segment(4)), bytes: 1 };
    const listing = readListing([of0!, gone(0), whole(1), of2!, whole(3), of4!, torn]);
    expect(listing.clocks).toEqual([{ from: 0, offset_ms: 0 }, { from: 2, offset_ms: 2 }]);
    expect(listing.idle).toEqual([of4!.name]);
    expect(readListing([of0!])).toMatchObject({ clocks: [], idle: [of0!.name] });
  });

  it("takes a deletion that broke off as not done", () => {
    const listing = readListing([whole(1), gone(1), gone(0)]);
    expect([listing.segments.length, listing.gone.length]).toEqual([1, 1]);
  });
});

it("what cannot be played as one file is more", () => {
  const mp4 = (seq: number, init: string): SegmentFile => ({ ...segment(seq), container: "m4s", init });
  const segments = [segment(0), segment(1), mp4(2, "x"), mp4(3, "x"), mp4(4, "y"), segment(5)];
  expect(playable(segments).map((file) => file.map(({ seq }) => seq))).toEqual([[0, 1], [2, 3], [4], [5]]);
  expect(playable([])).toEqual([]);
});
