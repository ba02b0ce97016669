/** What was captured before the device slept, and becomes footage afterwards. */
import { expect, it } from "vitest";
import { Leaps } from "./leaps";

it("what was captured keeps how far the clock was ahead then, whenever that is asked", () => {
  const leaps = new Leaps(7);
  // The clock goes ahead by itself a little; then the device sleeps for a minute, and is set back.
  const looks = [[1_000, 8], [2_000, 900], [3_000, 60_000], [4_000, 60_100], [5_000, 100]];
  for (const [now_us, ahead_ms] of looks) leaps.look(now_us!, ahead_ms!);
  expect([0, 1_999, 2_000, 3_999, 4_000, 9_000].map((at_us) => leaps.at(at_us))).toEqual([7, 7, 60_000, 60_000, 100, 100]);
});
