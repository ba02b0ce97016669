import { expect, test } from "vitest";
import { type Standing, seen, words } from "./standing";

const loading: Standing = { kind: "loading" };
const sentence = (standing: Standing, now_ms: number) => {
  const { before, timer, after } = words(standing, now_ms);
  return before + timer + after;
};
const interrupted = { title: "t", state: "interrupted" as const };

test("an interruption counts from the server's word", () => {
  const standing = seen(loading, { ...interrupted, since: 1_000 }, 20_000);
  expect(sentence(standing, 43_000)).toBe("Interrupted for 42 s; the picture will come back by itself");
});

test("an interruption counts from when it was seen first, if the server says nothing", () => {
  const first = seen(loading, interrupted, 10_000);
  const away: Standing = { kind: "out-of-touch", before: first };
  expect(words(seen(away, interrupted, 60_000), 75_000).timer).toBe(" for 1:05 min");
});

test("a new state starts to count anew", () => {
  const first = seen(loading, interrupted, 10_000);
  const paused = seen(first, { title: "t", state: "paused" }, 30_000);
  expect(sentence(paused, 31_000)).toBe("Paused by the publisher for 1 s; the picture will come back by itself");
});

test("live and ended do not count", () => {
  for (const state of ["created", "live", "ended", "complete"] as const) {
    expect(words(seen(loading, { title: "t", state }, 0), 9_000).timer).toBe("");
  }
});
