/**
 * What the viewer has missed and can have now: what was offered, taken or declined is not offered again. Pure.
 */
import type { Reading } from "./reading";

/** Something to watch that was not seen when it happened. */
export type Missed =
  /** It arrived late: catch-up from this segment on. */
  | { kind: "late"; from: number; length_s: number; ids: readonly string[] }
  /** The viewer was away: the same playlist, from this moment on. */
  | { kind: "away"; at_ms: number; length_s: number };

/**
 * What arrived late of what the viewer was there for. `since_ms` is when they began to watch, `settled` the ids of the
 * ranges that need no offer any more.
 */
export function lateFor(reading: Reading, since_ms: number, settled: ReadonlySet<string>): Missed | null {
  const late = reading.ranges.filter((range) => range.kind === "recovered");
  const mine = late.filter((range) => (range.end_ms ?? Infinity) > since_ms && !settled.has(range.id));
  const first = mine.reduce<(typeof mine)[number] | null>((a, b) => (a && a.from < b.from ? a : b), null);
  if (!first) return null;
  const length_ms = mine.reduce((sum, { start_ms, end_ms }) => sum + Math.max(0, (end_ms ?? start_ms) - start_ms), 0);
  return { kind: "late", from: first.from, length_s: length_ms / 1000, ids: mine.map(({ id }) => id) };
}
