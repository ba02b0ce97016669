import { expect, it } from "vitest";
import { Tokens } from "./tokens";

it("uses what was given last, falls back on what was known, and settles on what is taken", () => {
  const tokens = new Tokens("known", "offered");
  expect([tokens.get(), tokens.refused(), tokens.get()]).toEqual(["offered", true, "known"]);
  expect([tokens.taken(), tokens.get(), tokens.taken()]).toEqual([true, "known", false]);
  // Nothing else is left to be tried, and nothing is forgotten.
  expect([tokens.refused(), tokens.get()]).toEqual([false, "known"]);
});

it("tries all of them again and again, and says when each was refused", () => {
  const tokens = new Tokens("known", "offered");
  expect([1, 2, 3, 4].map(() => tokens.refused())).toEqual([true, false, true, false]);
  expect(tokens.get()).toBe("offered");
});
