/**
 * Readings made up for tests.
 */
import type { Range, Reading } from "./reading";

/** `m` for media, `.` for a gap, each `target_s` long; captured from `start_ms` on, gaps included. */
export function sample(pattern: string, more: Partial<Reading> & { start_ms?: number; ranges?: Range[] } = {}): Reading {
  const { start_ms = 0, target_s = 2, ...rest } = more;
  const entries = Array.from(pattern, (mark, msn) => ({
    msn,
    at_ms: start_ms + msn * target_s * 1000,
    duration_s: target_s,
    from_s: msn * target_s,
    isGap: mark === ".",
    uri: mark === "." ? `gap-${msn}.ts` : `${msn}.ts`,
  }));
  return { target_s, entries, ranges: [], isEnded: false, type: "event", canSkip: true, canBlock: true, ...rest };
}
