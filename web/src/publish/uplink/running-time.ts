/** The time by which everything is dated here: it goes on when somebody sets the clock, and stands still while the device sleeps. */
export function runningTime_ms(): number {
  return performance.timeOrigin + performance.now();
}

/** How far the device's clock, which goes on while it sleeps, is ahead of ours. */
export function deviceAhead_ms(): number {
  return Math.round(Date.now() - runningTime_ms());
}

/** By less than this, the device's clock goes ahead of ours by itself. */
const LEAP_MIN_MS = 1_000;

/** Whether the device's clock has leapt between being so far ahead of ours and so far. */
export function hasLeapt(before_ms: number, after_ms: number): boolean {
  return Math.abs(after_ms - before_ms) >= LEAP_MIN_MS;
}
