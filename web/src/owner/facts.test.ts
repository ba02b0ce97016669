import { describe, expect, test } from "vitest";
import type { Details, Rendition } from "../broadcast";
import { bytesInWords, holesOf, nothingYet, openUntil, pieces, rateInWords, timeInWords } from "./facts";
import { en } from "./words/en";

function broadcast(...renditions: Rendition["missing_between"][]): Details {
  const rendition = { codecs: null, resolution: null, segments: 0, bytes: 0, average_bits_per_s: 0 };
  const details = renditions.map((missing_between, number) => [`r${number}`, { ...rendition, missing_between }]);
  return { details: Object.fromEntries(details) } as Details;
}

test("holes are told once, in the order of time", () => {
  const one = [[30, 40], [null, 5]] as Rendition["missing_between"];
  const other = [[30, 40], [10, 12], [50, null]] as Rendition["missing_between"];
  const holes = holesOf(broadcast(one, other)).map(({ from, to }) => [from, to]);
  expect(holes).toEqual([[null, 5], [10, 12], [30, 40], [50, null]]);
  expect(holesOf(broadcast())).toEqual([]);
});

describe("pieces of the bar", () => {
  test.each([
    [[100, 200], { from: 120, to: 150 }, { start: 20, length: 30 }],
    [[100, 200], { from: null, to: 110 }, { start: 0, length: 10 }],
    [[100, 200], { from: 180, to: null }, { start: 80, length: 20 }],
    [[0, 1_000_000], { from: 500_000, to: 500_001 }, { start: 50, length: 0.6 }],
    [[0, 100], { from: 100, to: null }, { start: 99.4, length: 0.6 }],
    [[100, 100], { from: 100, to: 100 }, { start: 0, length: 0.6 }],
    [[100, 200], { from: 0, to: 900 }, { start: 0, length: 100 }],
  ] as const)("%j with %j", (recorded, hole, piece) => {
    expect(pieces([...recorded], [hole])).toEqual([piece]);
  });
});

test.each([
  [0, "0 byte"],
  [999, "999 byte"],
  [1_000, "1 kB"],
  [3_449_000, "3.4 MB"],
  [2_000_000_000, "2 GB"],
  [5e15, "5,000 TB"],
])("%d bytes are %s", (bytes, words) => expect(bytesInWords("en", bytes)).toBe(words));

test("rates have the unit that suits them", () => {
  expect(rateInWords("en", 2_149_000)).toBe("2.1 Mbit/s".replace("Mbit", "Mb"));
  expect(rateInWords("en", 96_400)).toBe("96 kb/s");
});

test("until when its publisher is waited for is told while it is", () => {
  const until = new Date(2026, 5, 1, 12).getTime();
  expect(openUntil({ open_until: until }, en, "en")).toMatch(/We wait until .*12:00/);
  expect(openUntil({ open_until: null }, en, "en")).toBe("");
});

test("nothing has come, and it is known that there is something", () => {
  expect(nothingYet({ missing: 0 }, en)).toBe(en.nothingRecorded);
  expect(nothingYet({ missing: 3 }, en)).toBe(en.stillToCome);
});

test("a day is told only if it is another one", () => {
  const noon = new Date(2026, 5, 1, 12).getTime();
  expect(timeInWords("en", noon + 1_000, noon)).not.toMatch(/Jun/);
  expect(timeInWords("en", noon + 86_400_000, noon)).toMatch(/Jun 2/);
});
