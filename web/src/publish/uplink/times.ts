/**
 * When segments were captured, by the recorders' clock. How far that is from ours is noted in the spool, with the segments
 * from which on it counts, so that a segment is always sent with the same time: in another run of the page, which measures
 * anew, and after one of the clocks was set. Pure.
 */

/** What counts from a segment on. */
export interface ClockNote {
  /** Its number. */
  from: number;
  /** What is added to our time to get theirs; `null` if that was not learned yet. */
  offset_ms: number | null;
}

/** A note to be made, instead of the one before. */
export interface ClockChange {
  note: ClockNote;
  before: ClockNote | null;
}

/** The offset that goes with a segment; `null` where none was learned. */
export function offsetOf(notes: readonly ClockNote[], seq: number): number | null {
  const from = Math.max(...notes.map((note) => note.from).filter((from) => from <= seq));
  // It may have been noted that there is none, and then which it is.
  return notes.find((note) => note.from === from && note.offset_ms !== null)?.offset_ms ?? null;
}

/**
 * What is to be noted in a run that began at `from` and records `next` now. What is learned goes with all of which nothing was
 * known; what has changed, with what is recorded from now on.
 */
export function toNote(notes: readonly ClockNote[], from: number, next: number, offset_ms: number | null): ClockChange[] {
  const isOfThisRun = (note: ClockNote) => note.from >= from;
  const begun: ClockChange[] = next > from && !notes.some(isOfThisRun) ? [{ note: { from, offset_ms }, before: null }] : [];
  if (offset_ms === null) return begun;
  const unknown = notes.filter((note) => offsetOf(notes, note.from) === null);
  const learned = unknown.map((before) => ({ note: { from: before.from, offset_ms }, before }));
  const last = notes.filter((note) => isOfThisRun(note) && note.offset_ms !== null).sort((a, b) => b.from - a.from)[0];
  const hasChanged = last !== undefined && last.offset_ms !== offset_ms;
  const changed = hasChanged ? [{ note: { from: next, offset_ms }, before: last.from === next ? last : null }] : [];
  return [...begun, ...learned, ...changed];
}
