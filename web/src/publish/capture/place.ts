/**
 * Where sound goes on the media timeline. A microphone's clock is not that of the pictures, and sound may be missing for a
 * while: both are put right here. Pure.
 */

/** Sound that is further off than this is put right. */
const OFF_MAX_MS = 150;
/** The longest silence that is put in at once. */
const SILENCE_MAX_MS = 2_000;

/** Where a piece of sound goes. */
export type Place = { kind: "begin"; at_ms: number } | { kind: "next" } | { kind: "after-silence"; silence_ms: number } | { kind: "skip" };

/** `next_ms`: where the last one ended, if there was one; `from_ms`: when this one was heard. */
export function place(next_ms: number | null, from_ms: number): Place {
  if (next_ms === null) return from_ms < 0 ? { kind: "skip" } : { kind: "begin", at_ms: from_ms };
  const off_ms = from_ms - next_ms;
  if (off_ms > OFF_MAX_MS) return { kind: "after-silence", silence_ms: Math.min(off_ms, SILENCE_MAX_MS) };
  return off_ms < -OFF_MAX_MS ? { kind: "skip" } : { kind: "next" };
}
