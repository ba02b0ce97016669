/**
 * What to send next: a pure function of the ledger, of what is on its way, of the route and of the time. Live first;
 * then what is missing, oldest first, several segments in one bundle, with one place always free for live.
 *
 * The same as publisher/src/policy.rs: publisher/src/policy/cases.json is run against both.
 */
import type { Ledger } from "./ledger";
import type { Route } from "./route";

/** How eagerly to send. */
export interface PolicyConfig {
  /** How many uploads may be on their way at a time. */
  parallelMax: number;
  /** How many of them may be live ones: more would share the link and all be late. */
  liveParallelMax: number;
  /** For how many times its own duration after its capture began a segment is live; and for how long at least and at most. */
  liveDurations: number;
  liveMin_ms: number;
  liveMax_ms: number;
  /**
   * For how many times its own duration nothing of a live segment may move before another recorder is given it too; and for
   * how long at least and at most.
   */
  hedgeAfterDurations: number;
  hedgeAfterMin_ms: number;
  hedgeAfterMax_ms: number;
  /** The most of missing segments in one request. */
  bundleBytesMax: number;
  bundleSegmentsMax: number;
}

export const DEFAULTS: Readonly<PolicyConfig> = {
  parallelMax: 4,
  liveParallelMax: 2,
  liveDurations: 5,
  liveMin_ms: 10_000,
  liveMax_ms: 60_000,
  hedgeAfterDurations: 1.25,
  hedgeAfterMin_ms: 1_000,
  hedgeAfterMax_ms: 10_000,
  bundleBytesMax: 4 << 20,
  bundleSegmentsMax: 32,
};

/** Why a segment is sent now. */
export type Class = "live" | "missing";

/** An upload to begin: of one segment, or of several missing ones. */
export interface Start {
  seqs: readonly number[];
  class: Class;
  recorder: string;
}

/** An upload on its way. */
export interface InFlight extends Start {
  /** When the last of its bytes moved, by a clock that does not jump. */
  moved_ms: number;
}

/** All that the decision depends on. */
export interface Situation {
  /** By the clock that dates segments. */
  now: number;
  /** By a clock that does not jump. */
  now_ms: number;
  ledger: Ledger;
  inFlight: readonly InFlight[];
  /**
   * What was on its way in a request that broke off: not sent again before it is known whether it arrived. And what is held
   * back for its own sake.
   */
  unsure: ReadonlySet<number>;
  route: Route;
  /** What the link has carried lately. */
  bytesPerSecond: number | null;
}

/** How long a bundle may take, by what the link has carried lately. A broken one loses no more than that. */
const BUNDLE_SECS_MAX = 5;

/** For how long nothing of a segment of this duration may move before another recorder is given it too. */
export function hedgeAfter_ms(duration_ms: number, config: Readonly<PolicyConfig> = DEFAULTS): number {
  const { hedgeAfterDurations, hedgeAfterMin_ms, hedgeAfterMax_ms } = config;
  return Math.max(Math.min(Math.floor(duration_ms * hedgeAfterDurations), hedgeAfterMax_ms), hedgeAfterMin_ms);
}

/** For how long after its capture began a segment of this duration is live. */
export function liveFor_ms(duration_ms: number, config: Readonly<PolicyConfig> = DEFAULTS): number {
  return Math.max(Math.min(duration_ms * config.liveDurations, config.liveMax_ms), config.liveMin_ms);
}

/** What to begin now, in this order. */
export function plan(situation: Situation, config: Readonly<PolicyConfig> = DEFAULTS): Start[] {
  const planned = new Planned(situation, config);
  planned.live();
  planned.hedges();
  planned.missing();
  return planned.starts;
}

class Planned {
  readonly starts: Start[] = [];

  constructor(
    private readonly situation: Situation,
    private readonly config: Readonly<PolicyConfig>,
  ) {}

  live(): void {
    const { ledger, now } = this.situation;
    for (const seq of ledger.owedSince(now - Math.max(this.config.liveMax_ms, this.config.liveMin_ms))) {
      if (!this.#isLive(seq) || this.#isOnItsWay(seq)) continue;
      if (this.#count("live") >= this.config.liveParallelMax) return;
      const recorder = this.#pick();
      if (recorder === undefined) return;
      this.starts.push({ seqs: [seq], class: "live", recorder });
    }
  }

  /** A live segment that is stuck is given to another recorder as well: both may take it. */
  hedges(): void {
    const { inFlight, ledger, now_ms, unsure } = this.situation;
    const mayGo = (seq: number) => ledger.isOwed(seq) && !unsure.has(seq);
    for (const upload of inFlight) {
      const once = inFlight.filter((other) => same(other.seqs, upload.seqs)).length === 1;
      const waits = now_ms - upload.moved_ms >= hedgeAfter_ms(ledger.longest_ms(upload.seqs), this.config);
      if (upload.class !== "live" || !once || !waits || !upload.seqs.every(mayGo)) continue;
      if (this.#count() >= this.config.parallelMax) return;
      const recorder = this.#pick(upload.recorder);
      if (recorder === undefined) return;
      this.starts.push({ seqs: upload.seqs, class: "live", recorder });
    }
  }

  missing(): void {
    const { parallelMax } = this.config;
    while (this.#count("missing") < parallelMax - 1 && this.#count() < parallelMax) {
      const seqs = this.#bundle();
      if (seqs.length === 0) return;
      const recorder = this.#pick();
      if (recorder === undefined) return;
      this.starts.push({ seqs, class: "missing", recorder });
    }
  }

  /** The oldest missing segments that are not on their way, as many as one request should hold. */
  #bundle(): number[] {
    const { ledger, bytesPerSecond, now } = this.situation;
    const bytesMax = Math.min(this.config.bundleBytesMax, Math.floor((bytesPerSecond ?? 0) * BUNDLE_SECS_MAX));
    const missing = ledger.owedBefore(now - this.config.liveMin_ms).filter((seq) => !this.#isLive(seq));
    const waiting = missing.filter((seq) => !this.#isOnItsWay(seq));
    const seqs: number[] = [];
    let bytes = 0;
    for (const seq of waiting.slice(0, this.config.bundleSegmentsMax)) {
      bytes += ledger.get(seq)?.bytes ?? 0;
      if (seqs.length > 0 && bytes > bytesMax) break;
      seqs.push(seq);
    }
    return seqs;
  }

  #isLive(seq: number): boolean {
    const { ledger, now } = this.situation;
    const entry = ledger.get(seq);
    return entry !== undefined && entry.captured_ms >= now - liveFor_ms(entry.duration_ms, this.config);
  }

  /** The best recorder. One that has failed lately is tried with one upload at a time. */
  #pick(not?: string): string | undefined {
    const { route, now_ms } = this.situation;
    const isBusy = (url: string) => this.#uploads().some((upload) => upload.recorder === url);
    return route.usable(now_ms).find((url) => url !== not && (!route.isDoubtful(url) || !isBusy(url)));
  }

  #isOnItsWay(seq: number): boolean {
    return this.situation.unsure.has(seq) || this.#uploads().some((upload) => upload.seqs.includes(seq));
  }

  /** How many uploads of a class there are, with those to begin. */
  #count(of?: Class): number {
    return this.#uploads().filter((upload) => of === undefined || upload.class === of).length;
  }

  #uploads(): Start[] {
    return [...this.situation.inFlight, ...this.starts];
  }
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((seq, index) => seq === b[index]);
}
