/**
 * To which recorder: the best that is not known to fail, and when one that failed is tried again. Pure. The same as
 * publisher/src/route.rs.
 */

/** How long a recorder that failed is left alone: the first time, and at most. */
const BACK_OFF_MIN_MS = 250;
const BACK_OFF_MAX_MS = 4_000;

interface Candidate {
  url: string;
  failures: number;
  /** By a clock that does not jump. */
  notBefore_ms: number;
}

/** The recorders that may be used, best first, by their addresses without a slash at the end. */
export class Route {
  #candidates: Candidate[];

  constructor(urls: readonly string[] = []) {
    this.#candidates = urls.map(fresh);
  }

  /** Another order, or other recorders: what is known of those that stay is kept. */
  replace(urls: readonly string[]): void {
    const known = this.#candidates;
    this.#candidates = urls.map((url) => known.find((candidate) => candidate.url === url) ?? fresh(url));
  }

  /** Those that may be used now: who answers, best first; then who has failed and was left alone for long enough. */
  usable(now_ms: number): string[] {
    const answers = this.#candidates.filter((candidate) => candidate.failures === 0);
    const failed = this.#candidates.filter((candidate) => candidate.failures > 0 && candidate.notBefore_ms <= now_ms);
    return [...answers, ...failed].map((candidate) => candidate.url);
  }

  /** The best one that may be used now. */
  pick(now_ms: number): string | undefined {
    return this.usable(now_ms)[0];
  }

  /** The best one that has failed, if it would be better than who answers, and may be asked whether it is back. */
  probe(now_ms: number): string | undefined {
    for (const candidate of this.#candidates) {
      if (candidate.failures === 0) return undefined;
      if (candidate.notBefore_ms <= now_ms) return candidate.url;
    }
    return undefined;
  }

  /** Whether all have failed, or there is none. */
  isCutOff(): boolean {
    return this.#candidates.every((candidate) => candidate.failures > 0);
  }

  /** It is none after all. */
  remove(url: string): void {
    this.#candidates = this.#candidates.filter((candidate) => candidate.url !== url);
  }

  /** Whether it has failed, and not answered since. */
  isDoubtful(url: string): boolean {
    return (this.#find(url)?.failures ?? 0) > 0;
  }

  /** It has answered: whatever it said, it is there. */
  answered(url: string): void {
    const candidate = this.#find(url);
    if (candidate) Object.assign(candidate, fresh(url));
  }

  /** The network is said to be back: nobody is left alone any longer, though all stay doubtful. */
  tryNow(): void {
    for (const candidate of this.#candidates) candidate.notBefore_ms = -Infinity;
  }

  /** It did not answer, or asked to be left alone for a while. `jitter` from 0 to 1 spreads those who try again. */
  failed(url: string, now_ms: number, asked_ms: number | null, jitter: number): void {
    const candidate = this.#find(url);
    if (!candidate) return;
    const doubled = Math.min(BACK_OFF_MIN_MS * 2 ** Math.min(candidate.failures, 10), BACK_OFF_MAX_MS);
    const backOff_ms = Math.floor(doubled * (0.5 + jitter / 2));
    candidate.failures += 1;
    candidate.notBefore_ms = Math.max(candidate.notBefore_ms, now_ms + Math.max(backOff_ms, asked_ms ?? 0));
  }

  #find(url: string): Candidate | undefined {
    return this.#candidates.find((candidate) => candidate.url === url);
  }
}

function fresh(url: string): Candidate {
  return { url, failures: 0, notBefore_ms: -Infinity };
}
