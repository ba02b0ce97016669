import { expect, test } from "vitest";
import type { Range } from "./reading";
import { sample } from "./samples";
import { entryAt, isThrough, mediaFrom, momentOf, positionOf, stretches } from "./timeline";

const range = (kind: "interrupted" | "paused", start_s: number, end_s: number | null): Range => {
  return { kind, id: `${kind}${start_s}`, start_ms: start_s * 1000, end_ms: end_s === null ? null : end_s * 1000 };
};
const late = (start_s: number, end_s: number, from: number, to: number): Range => {
  return { kind: "recovered", id: `r${from}`, start_ms: start_s * 1000, end_ms: end_s * 1000, from, to };
};

test("stretches tile the playlist and say why", () => {
  const ranges = [range("interrupted", 4, 8), range("paused", 10, 12), late(4, 8, 2, 3), range("interrupted", 16, null)];
  const made = stretches(sample("mm..m.mm.", { ranges }));
  expect(made.map(({ kind, from_s, to_s, catchupFrom }) => [kind, from_s, to_s, catchupFrom])).toEqual([
    ["media", 0, 4, null],
    ["late", 4, 8, 2],
    ["media", 8, 10, null],
    ["paused", 10, 12, null],
    ["media", 12, 16, null],
    ["missing", 16, 18, null],
  ]);
  expect(stretches(sample(""))).toEqual([]);
  expect(stretches(sample("m.")).map(({ kind }) => kind)).toEqual(["media", "missing"]);
});

test("a pause stays one when what was recorded before it comes late", () => {
  const made = stretches(sample("m....m", { ranges: [range("paused", 6, 10), late(2, 10, 1, 1)] }));
  expect(made.map(({ kind, from_s, to_s }) => [kind, from_s, to_s])).toEqual([
    ["media", 0, 2],
    ["late", 2, 6],
    ["paused", 6, 10],
    ["media", 10, 12],
  ]);
});

test("moments and positions", () => {
  const reading = sample("mm..m", { start_ms: 100_000 });
  expect(momentOf(reading, 5)).toBe(105_000);
  expect(positionOf(reading, 105_000)).toBe(5);
  expect(positionOf(reading, 0)).toBe(0);
  expect(positionOf(reading, 999_000)).toBe(10);
  expect(entryAt(reading, 3)?.msn).toBe(1);
  expect(entryAt(reading, 10)).toBeNull();
  expect(momentOf(sample(""), 5)).toBeNull();
});

test("a jump in capture time is stepped over", () => {
  const reading = sample("mmm");
  const jumped = reading.entries.map((entry) => (entry.msn === 2 ? { ...entry, at_ms: 60_000 } : entry));
  const gone = { ...reading, entries: jumped };
  // Nothing was captured then: the end of what was before it.
  expect(positionOf(gone, 30_000)).toBe(4);
  expect(positionOf(gone, 61_000)).toBe(5);
  expect(momentOf(gone, 5)).toBe(61_000);
});

test("from a gap, the next media", () => {
  const reading = sample("mm..m");
  expect([0, 3, 4.5, 9].map((position_s) => mediaFrom(reading, position_s))).toEqual([0, 3, 8, 9]);
  expect(mediaFrom(sample("m.."), 3)).toBeNull();
});

test("through is where no media follows, and nothing will be added", () => {
  const through = (pattern: string, position_s: number, isEnded = true) => isThrough(sample(pattern, { isEnded }), position_s);
  // Gaps at the end are nothing to wait for. A frame or two may be missing at the end of media.
  expect([through("mm..", 3.9), through("mm..", 3), through("mm..m", 3.9), through("mm", 3.9)]).toEqual([true, false, false, true]);
  expect(through("mm..", 3.9, false)).toBe(false);
  expect(through("", 0)).toBe(false);
});
