import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Deadline } from "./deadline";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("it comes with time, or with what it belongs to", () => {
  const byTime = new Deadline(100);
  vi.advanceTimersByTime(99);
  expect(byTime.signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(byTime.signal.aborted).toBe(true);

  const outer = new AbortController();
  const within = new Deadline(100, outer.signal);
  expect(within.signal.aborted).toBe(false);
  outer.abort();
  expect([within.signal.aborted, new Deadline(100, outer.signal).signal.aborted]).toEqual([true, true]);
});

test("what is done is left alone", () => {
  const outer = new AbortController();
  const deadline = new Deadline(100, outer.signal);
  deadline.clear();
  outer.abort();
  vi.advanceTimersByTime(1000);
  expect([deadline.signal.aborted, vi.getTimerCount()]).toEqual([false, 0]);
});
