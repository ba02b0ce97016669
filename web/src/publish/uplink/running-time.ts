/** The time by which everything is dated here: it goes on when somebody sets the clock, and stands still while the device sleeps. */
export function runningTime_ms(): number {
  return performance.timeOrigin + performance.now();
}

/** How far the device's clock, which goes on while it sleeps, is ahead of ours. */
export function deviceAhead_ms(): number {
  return Math.round(Date.now() - runningTime_ms());
}

/** From this on, the device's clock has leapt; by less, it goes ahead of ours by itself. */
export const LEAP_MIN_MS = 1_000;
