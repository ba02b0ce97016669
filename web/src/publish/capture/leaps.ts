/**
 * How far the device's clock was ahead of ours when something was captured: it leaps when the device has slept, or somebody
 * sets it. What was captured before may become footage only afterwards. Pure.
 */
import { hasLeapt } from "../uplink/running-time";

export class Leaps {
  /** From when on which one counts, in order; times are of the media timeline. */
  #known: { from_us: number; ahead_ms: number }[];
  #looked_us = 0;

  constructor(ahead_ms: number) {
    this.#known = [{ from_us: -Infinity, ahead_ms }];
  }

  /** How far ahead it is now. If it has leapt, it did after it was looked at last. */
  look(now_us: number, ahead_ms: number): void {
    if (hasLeapt(this.#known.at(-1)!.ahead_ms, ahead_ms)) this.#known.push({ from_us: this.#looked_us, ahead_ms });
    this.#looked_us = now_us;
  }

  /** How far ahead it was at this moment. Of earlier ones nobody asks any more. */
  at(at_us: number): number {
    while (this.#known.length > 1 && this.#known[1]!.from_us <= at_us) this.#known.shift();
    return this.#known[0]!.ahead_ms;
  }
}
