/**
 * How far the recorders' clock is from ours, which is one that nobody sets: the time since the page was opened. Pure.
 * The same as publisher/src/offset.rs.
 */

/** From how many answers the best is taken. */
const SAMPLES = 8;
/** An offset in use is kept until it is proved wrong by more than this. */
const TOLERATED_MS = 1_000;

interface Sample {
  offset_ms: number;
  /** At most so wrong: half of the round trip. */
  error_ms: number;
}

/** What is added to our time to get theirs. */
export class Offset {
  #samples: Sample[] = [];
  #used: number | null = null;

  /** A question was sent and answered at these moments by our clock; the answer told `theirs_ms`. */
  learn(sent_ms: number, answered_ms: number, theirs_ms: number): void {
    if (answered_ms < sent_ms) return;
    const error_ms = Math.floor((answered_ms - sent_ms + 1) / 2);
    // Ours goes by fractions of a millisecond, and nothing else does.
    const sample = { offset_ms: Math.round(theirs_ms - (sent_ms + error_ms)), error_ms };
    this.#samples = [...this.#samples, sample].slice(-SAMPLES);
    let best = this.#samples.reduce((best, other) => (other.error_ms < best.error_ms ? other : best));
    // A clock that was set leaves no earlier sample true.
    if (Math.abs(best.offset_ms - sample.offset_ms) > best.error_ms + sample.error_ms) best = sample;
    if (this.#used !== null && Math.abs(best.offset_ms - this.#used) <= TOLERATED_MS + best.error_ms) return;
    this.#used = best.offset_ms;
    this.#samples = this.#samples.filter(
      (other) => Math.abs(other.offset_ms - best.offset_ms) <= other.error_ms + best.error_ms,
    );
  }

  /** In milliseconds; `null` before the first answer. */
  get(): number | null {
    return this.#used;
  }
}
