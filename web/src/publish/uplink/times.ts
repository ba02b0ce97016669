/**
 * When segments were captured, by the recorders' clock. How far that is from ours is noted in the spool, with the segments
 * from which on it counts, so that a segment is always sent with the same time: in another run of the page, which measures
 * anew, and after one of the clocks was set, or ours stood still. Pure.
 */

/** What counts from a segment on. */
export interface ClockNote {
  /** Its number. */
  from: number;
  /** What is added to our time to get theirs; `null` if that was not learned yet. */
  offset_ms: number | null;
  /**
   * Of what no recorder has confirmed in its run: how far the device's clock was ahead of ours then. Written down where nothing
   * was learned, so that the next run knows how far apart such stretches are.
   */
  ahead_ms?: number;
}

/** What our clock is now. */
export interface ClockNow {
  /** What is added to our time to get theirs, as far as is known. */
  offset_ms: number | null;
  /** How far the device's clock is ahead of ours: it goes on while the device sleeps. */
  ahead_ms: number;
  /** Whether a recorder has answered since that has changed. */
  isConfirmed: boolean;
}

/** The offset that goes with a segment; `null` where none was learned. */
export function offsetOf(notes: readonly ClockNote[], seq: number): number | null {
  return noteOf(notes, seq)?.offset_ms ?? null;
}

function noteOf(notes: readonly ClockNote[], seq: number): ClockNote | undefined {
  const from = Math.max(...notes.map((note) => note.from).filter((from) => from <= seq));
  const found = notes.filter((note) => note.from === from);
  // It may have been noted that there is none, and then which it is.
  return found.find((note) => note.offset_ms !== null) ?? found[0];
}

/**
 * What is to be noted in a run that began at `from` and records `next` now, each instead of what was noted from the same
 * number. What is learned goes with all of which nothing was known for sure, as far apart as the device's clock says; what
 * has changed, with what is recorded from now on.
 */
export function toNote(notes: readonly ClockNote[], from: number, next: number, now: ClockNow): ClockNote[] {
  const { offset_ms, ahead_ms, isConfirmed } = now;
  const isOpen = (note: ClockNote) => note.ahead_ms !== undefined || offsetOf(notes, note.from) === null;
  const [last] = notes.filter((note) => note.from >= from).sort((a, b) => b.from - a.from);
  const begun = last === undefined && next > from ? [noted(from, now)] : [];
  const learned = (note: ClockNote) => ({ from: note.from, offset_ms: offset_ms! - ahead_ms + (note.ahead_ms ?? 0) });
  const open = isConfirmed && offset_ms !== null ? notes.filter(isOpen) : [];
  const hasChanged = last !== undefined && !open.includes(last) && !isAsNow(last, now);
  return [...begun, ...open.map(learned), ...(hasChanged ? [noted(next, now)] : [])];
}

/**
 * What is to be noted of a segment that has the number `to` now, which nothing comes after yet: it keeps its time, and what is
 * recorded next has its own.
 */
export function toNoteOfRenumbered(notes: readonly ClockNote[], from: number, to: number, now: ClockNow): ClockNote[] {
  const before = noteOf(notes, from);
  if (before === undefined || before.offset_ms === now.offset_ms) return [];
  return [{ ...before, from: to }, noted(to + 1, now)];
}

/** What is to be noted of a segment that was captured before the clock leapt, and is durable only now. */
export function toNoteOfEarlier(seq: number, then: ClockNow, now: ClockNow): ClockNote[] {
  return [noted(seq, then), noted(seq + 1, now)];
}

function noted(from: number, { offset_ms, ahead_ms, isConfirmed }: ClockNow): ClockNote {
  return { from, offset_ms, ...(isConfirmed ? {} : { ahead_ms }) };
}

function isAsNow(note: ClockNote, { offset_ms, ahead_ms }: ClockNow): boolean {
  return note.offset_ms === null ? (note.ahead_ms ?? 0) === ahead_ms : note.offset_ms === offset_ms;
}

/** The same notes, with these instead of what was noted from the same numbers. */
export function withNotes(notes: readonly ClockNote[], made: readonly ClockNote[]): ClockNote[] {
  const isReplaced = ({ from }: ClockNote) => made.some((note) => note.from === from);
  return [...notes.filter((note) => !isReplaced(note)), ...made];
}
