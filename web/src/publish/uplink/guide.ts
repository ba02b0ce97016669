/**
 * Whom to ask which recorders there are, and when: at the start, when an answer is too old, and when all recorders fail.
 * Pure. The same as publisher/src/guide.rs.
 */

/** How long after an answer that did not come it is asked again: at first, and at most. */
const AGAIN_MIN_MS = 500;
const AGAIN_MAX_MS = 4_000;
/** How often it is looked whether there is a balancer by now where there was none. */
const NO_BALANCER_MS = 60_000;
/** For how long an answer holds, whatever it says. */
const TTL_MS_MIN = 5_000;
const TTL_MS_MAX = 3_600_000;

/** What a balancer says: recorders, best first, at least one, and for how long that holds. */
export interface Routed {
  recorders: string[];
  ttl_ms: number;
}

export class Guide {
  /** What the last answer named; empty without one. */
  #routed: string[] = [];
  #turn = 0;
  #failures = 0;
  /** When to ask again, by a clock that does not jump; and at the earliest, if all recorders fail. */
  #due_ms = -Infinity;
  #urgent_ms = -Infinity;

  /** `given`: where to ask, and where to send if nobody tells. `remembered`: who was named in an earlier run. */
  constructor(
    private readonly given: readonly string[],
    private readonly remembered: readonly string[] = [],
  ) {}

  /** Whom to ask now, if anybody. */
  due(now_ms: number, isCutOff: boolean): string | undefined {
    const isDue = now_ms >= this.#due_ms || (isCutOff && now_ms >= this.#urgent_ms);
    const known = this.#known();
    return isDue ? known[this.#turn % known.length] : undefined;
  }

  /** What came of it: the recorders to use from here on. `jitter` from 0 to 1 spreads those who ask again. */
  told(routed: Routed | null, now_ms: number, jitter: number): string[] {
    this.#failures = 0;
    this.#urgent_ms = now_ms + AGAIN_MAX_MS;
    if (routed === null) {
      this.#due_ms = now_ms + NO_BALANCER_MS;
      // Somebody else may have told us before, and may again.
      this.#turn += 1;
    } else {
      this.#routed = routed.recorders;
      const ttl_ms = Math.min(Math.max(routed.ttl_ms, TTL_MS_MIN), TTL_MS_MAX);
      this.#due_ms = now_ms + Math.floor(ttl_ms * (0.9 + jitter / 5));
    }
    return [...this.#routed, ...this.given.filter((url) => !this.#routed.includes(url))];
  }

  /** Whoever was asked did not answer, or could not tell. */
  failed(now_ms: number): void {
    this.#turn += 1;
    const again_ms = Math.min(AGAIN_MIN_MS * 2 ** Math.min(this.#failures, 8), AGAIN_MAX_MS);
    this.#failures += 1;
    this.#due_ms = this.#urgent_ms = now_ms + again_ms;
  }

  /** The recorders that a balancer has named; none without one. */
  routed(): readonly string[] {
    return this.#routed;
  }

  #known(): string[] {
    const named = this.#routed.length === 0 ? this.remembered : this.#routed;
    return [...this.given, ...named.filter((url) => !this.given.includes(url))];
  }
}
