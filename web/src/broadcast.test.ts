import { describe, expect, test } from "vitest";
import { STATES, STATE_LABELS, durationWords, missingWords, stateSentence } from "./broadcast";

describe("durations", () => {
  test.each([
    [-1, "0 s"],
    [0, "0 s"],
    [42.4, "42 s"],
    [59.6, "1:00 min"],
    [200, "3:20 min"],
    [3599.4, "59:59 min"],
    [3723, "1:02:03 h"],
    [90_000, "25:00:00 h"],
  ])("%d s is %s", (seconds, words) => expect(durationWords(seconds)).toBe(words));
});

test.each([
  [0, ""],
  [1, "1 part missing"],
  [7, "7 parts missing"],
])("%d missing is %j", (missing, words) => expect(missingWords(missing)).toBe(words));

test("every state has its own words", () => {
  expect(new Set(STATES.map((state) => STATE_LABELS[state])).size).toBe(STATES.length);
  expect(new Set(STATES.map((state) => Object.values(stateSentence(state)).join())).size).toBe(STATES.length);
});
