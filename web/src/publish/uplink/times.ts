/**
 * When segments were captured, by the recorders' clock. Each run of the page has its own way from our clock to theirs: what
 * was learned in one is noted in the spool, and goes with the segments of that run. Pure.
 */

/** What is noted of a run. */
export interface ClockNote {
  /** The number of its first segment. */
  from: number;
  /** What is added to our time to get theirs; `null` if that was never learned. */
  offset_ms: number | null;
}

/** The offset of an earlier run, for one of its segments; `null` for this run's, and where none was learned. */
export function offsetOf(notes: readonly ClockNote[], seq: number, thisRunFrom: number): number | null {
  if (seq >= thisRunFrom) return null;
  const before = notes.filter(({ from }) => from <= seq);
  const from = Math.max(...before.map((note) => note.from));
  // It was noted that there is none, and then which it is.
  return before.find((note) => note.from === from && note.offset_ms !== null)?.offset_ms ?? null;
}
