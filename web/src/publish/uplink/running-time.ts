/** The time by which everything is dated here: it goes on when somebody sets the clock, and stands still while the device sleeps. */
export function runningTime_ms(): number {
  return performance.timeOrigin + performance.now();
}
