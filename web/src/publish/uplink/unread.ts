/**
 * What of the spool could not be read, and when it is tried again. A device that is busy, or wakes up, may not be able to
 * read for a while, so what is tried at once fails at once. Pure.
 */

/** How often a segment may fail to be read before the others go on without it. */
const TRIES = 3;
/** How long after the first time it is tried again; doubled each time, up to the longest. */
const AGAIN_MIN_MS = 1_000;
const AGAIN_MAX_MS = 60_000;

export class Unread {
  readonly #failed = new Map<number, { times: number; again_ms: number }>();

  /** It could not be read: whether that was so often that the others go on without it. */
  failed(seq: number, now_ms: number): boolean {
    const before = this.#failed.get(seq);
    // It was on its way twice.
    if (before && now_ms < before.again_ms) return before.times >= TRIES;
    const times = (before?.times ?? 0) + 1;
    const wait_ms = Math.min(AGAIN_MIN_MS * 2 ** Math.min(times - 1, 16), AGAIN_MAX_MS);
    this.#failed.set(seq, { times, again_ms: now_ms + wait_ms });
    return times >= TRIES;
  }

  /** It could be read, or needs not be. */
  forget(seq: number): void {
    this.#failed.delete(seq);
  }

  /** What is to be left alone now. */
  resting(now_ms: number): number[] {
    return this.#with((again_ms) => again_ms > now_ms);
  }

  /** What is to be tried again now. */
  due(now_ms: number): number[] {
    return this.#with((again_ms) => again_ms <= now_ms);
  }

  #with(is: (again_ms: number) => boolean): number[] {
    return [...this.#failed].filter(([, { again_ms }]) => is(again_ms)).map(([seq]) => seq);
  }
}
