/**
 * The shell around the pure books: makes far away what is in a spool, by the publish protocol. Begins what the policy
 * plans, takes in what comes of it, says what the publisher has said, deletes what is safe. In a worker.
 */
import type { SegmentFile } from "../spool/names";
import type { Spool } from "../spool/spool";
import { arrivedOf } from "./arrivals";
import { Dating } from "./dating";
import type { RemoteFailure } from "./failure";
import { begin, type Flight, type Landed } from "./flight";
import { Guide } from "./guide";
import { Ledger } from "./ledger";
import { Link } from "./link";
import { DEFAULTS, liveFor_ms, plan } from "./policy";
import { asFailure, Remote, type RemoteStatus, type Said } from "./remote";
import { Route } from "./route";
import { runningTime_ms } from "./running-time";
import { contains, type Range, rangesOf } from "./seqs";
import type { SegmentReport, Trouble, UplinkStatus } from "./status";
import { Tokens } from "./tokens";
import { Unread } from "./unread";

/** How often it is looked whether time alone has changed something. */
const TICK_MS = 250;
/** How long a recorder may take to say what it has. */
const PROBE_MAX_MS = 2_500;
const ASK_EVERY_MS = 10_000;
/** How often it is asked while somebody else's word is that we may not publish. */
const ASK_REFUSED_EVERY_MS = 15_000;
/** How long an answer may take beside what its bytes take, and the slowest link that is waited for. */
const ANSWER_MAX_MS = 8_000;
const BYTES_PER_S_MIN = 4_000;
/** For how long what has arrived may be neither safe nor at the recorder that is asked before it is sent again. */
const SEND_AGAIN_AFTER_MS = 60_000;
/** A body in the browser cannot pause for live. So a bundle is small while live segments come. */
const LIVE_BUNDLE_MS = 1_000;

export class Uplink {
  readonly #files = new Map<number, SegmentFile>();
  readonly #ledger = new Ledger();
  #remote!: Remote;
  #guide!: Guide;
  #route = new Route();
  readonly #link = new Link();
  readonly #dating: Dating;
  /** The number of the first segment of this run. */
  readonly #from: number;
  #flights: Flight[] = [];
  /** How often an upload of this segment was given up. */
  readonly #givenUp = new Map<number, number>();
  readonly #unread = new Unread();
  /** What is proven not to be what was written. */
  readonly #damaged = new Set<number>();
  /** What somebody else has sent under the same number, until it has another one. */
  readonly #renumbering = new Set<number>();
  #unsure = new Set<number>();
  /** What is at another recorder alone, and since when that is known. */
  #elsewhere = new Map<number, number>();
  #there: RemoteStatus | null = null;
  #endedByOwner = false;
  #recorder: string | null = null;
  #trouble: Trouble | null = null;
  #latency_ms: number | null = null;
  #newestArrived_ms: number | null = null;
  #asked_ms = -Infinity;
  #isTalking = false;
  #isRouting = false;
  #isDeleting = false;
  #isStopped = false;
  #isDone = false;
  #isRefusedByEnd = false;
  #tokens!: Tokens;
  readonly #timer = setInterval(() => this.#step(), TICK_MS);

  /**
   * `keepBytes`: how much of what is safe may stay here. `taken` is called when somebody else has sent under the number of
   * one of ours.
   */
  constructor(
    private readonly spool: Spool,
    private readonly keepBytes: () => number,
    private readonly taken: (segment: SegmentFile) => void,
  ) {
    this.#address();
    for (const segment of spool.found.segments) this.#noteEarlier(segment);
    for (const segment of spool.found.gone) this.#note(segment, "deleted");
    this.#from = this.#ledger.next();
    this.#dating = new Dating(spool, this.#from, () => this.#step());
    this.#step();
  }

  #address(): void {
    const { token, offered, server, recorders } = this.spool.about;
    this.#tokens = new Tokens(token, offered);
    this.#remote = new Remote(this.spool.about.id, this.#tokens.get());
    this.#guide = new Guide([server], recorders);
  }

  /** Asks with each token that may be right, until one is taken. */
  async #withRightToken<T>(ask: (remote: Remote) => Promise<T>): Promise<T> {
    for (;;) {
      const remote = this.#remote;
      try {
        const answer = await ask(remote);
        // Where there is no balancer, nobody has looked at the token.
        const isProven = answer !== null && this.#remote === remote && this.#tokens.taken();
        if (isProven) this.spool.accepted(this.#tokens.get()).catch((error: unknown) => console.warn("the token is not written down", error));
        return answer;
      } catch (error) {
        if (asFailure(error).kind !== "unauthorized") throw error;
        // Whoever asked beside us may have heard it already.
        if (this.#remote !== remote) continue;
        const isAnother = this.#tokens.refused();
        this.#remote = new Remote(this.spool.about.id, this.#tokens.get());
        if (!isAnother) throw error;
      }
    }
  }

  /** The spool knows another token or server: all is asked anew, of whoever that is. */
  readdressed(): void {
    if (this.#isStopped) return;
    this.#address();
    this.#route = new Route();
    this.#there = null;
    this.#trouble = null;
    this.#asked_ms = -Infinity;
    this.#step();
  }

  /** Sends nothing more. What is on its way may still arrive. */
  destroy(): void {
    clearInterval(this.#timer);
    this.#isStopped = true;
  }

  /** A segment is durable here. `ahead_ms`: how far the device's clock was ahead of ours when it was captured. */
  recorded(segment: SegmentFile, ahead_ms: number): void {
    this.#lookAtTheClock();
    this.#dating.recorded(segment.seq, ahead_ms);
    this.#note(segment, "owed");
    this.#step();
  }

  /** A segment has another number now, and is durable under it. */
  renumbered(from: number, segment: SegmentFile): void {
    this.#files.delete(from);
    this.#ledger.forget(from);
    this.#renumbering.delete(from);
    this.#dating.renumbered(from, segment.seq);
    if (from < this.#from) this.#noteEarlier(segment);
    else this.#note(segment, "owed");
    this.#step();
  }

  /** It cannot be read. What is damaged stays what it is: refused. Anything else may be read later, and the end waits for it. */
  notRenumbered(seq: number, isDamaged: boolean): void {
    if (isDamaged) this.#renumbering.delete(seq);
    this.#ledger[isDamaged ? "refused" : "unreadable"](seq);
    this.#step();
  }

  /** An init section is written, perhaps anew: what was damaged for want of it is whole again. */
  initWritten(digest: string): void {
    for (const { seq, init } of this.#files.values()) {
      if (init !== digest || this.#renumbering.has(seq)) continue;
      this.#damaged.delete(seq);
      this.#unread.forget(seq);
      this.#ledger.readAgain(seq);
    }
  }

  /** The publisher has paused, resumed or ended: the spool says so. */
  said(): void {
    this.#step();
  }

  /** The network is said to be back. */
  tryNow(): void {
    this.#route.tryNow();
    this.#asked_ms = -Infinity;
    this.#step();
  }

  /** The number of the next segment, as far as is known. */
  next(): number {
    const there = this.#there?.stored.at(-1)?.range[1] ?? -1;
    return Math.max(this.#ledger.next(), there + 1);
  }

  /** The number after the last of our own. */
  ownNext(): number {
    return this.#ledger.next();
  }

  #note(segment: SegmentFile, standing: "owed" | "deleted", atMost_ms = Infinity): void {
    this.#files.set(segment.seq, segment);
    this.#ledger.recorded({ ...segment, captured_ms: Math.min(segment.captured_ms, atMost_ms) }, standing);
  }

  /** What an earlier run recorded is not live, whatever its clock said. */
  #noteEarlier(segment: SegmentFile): void {
    this.#note(segment, "owed", runningTime_ms() - liveFor_ms(segment.duration_ms) - segment.duration_ms);
  }

  /** Looks at everything, and does what is due. */
  #step(): void {
    if (this.#isStopped) return;
    this.#lookAtTheClock();
    this.#dating.note(this.#ledger.next());
    this.#send();
    void this.#talk();
    void this.#askForRoute();
    void this.#deleteWhatIsNotKept();
    const isOver = this.#there?.over === "ended" || this.#isForOthersToEnd();
    if (isOver && this.spool.is("ended") && this.#ledger.isSettled() && this.#ledger.areAllThere()) {
      this.#isDone = true;
      this.destroy();
    }
  }

  /** Before anything is recorded by it: should it have leapt, it is asked what that means. */
  #lookAtTheClock(): void {
    if (this.#dating.look(this.#ledger.next())) this.#asked_ms = -Infinity;
  }

  /** Nothing is sent before it is known what is there, and when what is here was captured. */
  #send(): void {
    if (this.#there === null || !this.#dating.isReady) return;
    this.#readAgain();
    const bytesPerSecond = this.#link.bytesPerSecond();
    const isLive = this.#isLiveOnItsWay();
    const bundleBytesMax = this.spool.is("ended") || this.spool.is("paused")
      ? DEFAULTS.bundleBytesMax
      : Math.min(DEFAULTS.bundleBytesMax, ((bytesPerSecond ?? 0) * LIVE_BUNDLE_MS) / 1000);
    const starts = plan(
      {
        now: runningTime_ms(),
        now_ms: performance.now(),
        ledger: this.#ledger,
        inFlight: this.#flights,
        unsure: new Set([...this.#unsure, ...this.#renumbering, ...this.#unread.resting(performance.now())]),
        route: this.#route,
        bytesPerSecond,
      },
      { ...DEFAULTS, bundleBytesMax },
    );
    const live = isLive || starts.some((start) => start.class === "live");
    for (const start of starts) {
      // The link is live's while there is any.
      if (start.class === "missing" && live) continue;
      const files = start.seqs.map((seq) => this.#files.get(seq)!);
      const givenUp = Math.max(...start.seqs.map((seq) => this.#givenUp.get(seq) ?? 0));
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      const flight = begin({
        start,
        files,
        givenUp,
        spool: this.spool,
        remote: this.#remote,
        captured_ms: (file) => this.#dating.captured_ms(file),
        limit_ms: ANSWER_MAX_MS + (bytes * 1000) / BYTES_PER_S_MIN,
      });
      this.#flights.push(flight);
      void flight.landing.then((landed) => this.#land(flight, landed));
    }
  }

  /** What could not be read may be readable by now. */
  #readAgain(): void {
    for (const seq of this.#unread.due(performance.now())) {
      if (!this.#damaged.has(seq) && !this.#renumbering.has(seq)) this.#ledger.readAgain(seq);
    }
  }

  #isLiveOnItsWay(): boolean {
    const now_ms = performance.now();
    return this.#flights.some((flight) => flight.class === "live" && !flight.isStuck(now_ms));
  }

  #land(flight: Flight, landed: Landed): void {
    const now_ms = performance.now();
    this.#flights = this.#flights.filter((other) => other !== flight);
    let bytes = 0;
    for (const { seq, safe, closing } of landed.acknowledged) {
      if (closing) this.#hearOfTheEnd();
      this.#givenUp.delete(seq);
      this.#unread.forget(seq);
      const file = this.#files.get(seq);
      // It has another number meanwhile, because somebody else had this one.
      if (file === undefined) continue;
      this.#ledger.acknowledged(seq, safe);
      bytes += file.bytes;
      const { captured_ms } = this.#ledger.get(seq)!;
      this.#newestArrived_ms = Math.max(captured_ms + file.duration_ms, this.#newestArrived_ms ?? 0);
      // To its first picture, which waited for all others: what is said is never better than what is seen.
      if (flight.class === "live") this.#latency_ms = Math.max(0, runningTime_ms() - captured_ms);
    }
    if (bytes > 0) {
      this.#link.carried(flight.from_ms, now_ms, bytes);
      this.#reached(flight.recorder);
      this.#passOverWhoStandsStill(flight.recorder, now_ms);
    }
    if (landed.unsure.length > 0) {
      for (const seq of landed.unsure) this.#unsure.add(seq);
      this.#asked_ms = -Infinity;
    }
    for (const { seq, failure } of landed.failed) this.#takeFailure(flight.recorder, seq, failure);
    this.#step();
  }

  /** An acknowledgement may be the first to tell, and may be older than what was said since. */
  #hearOfTheEnd(): void {
    if (this.#there?.over === "no") this.#there.over = "closing";
    this.#endedByOwner ||= this.#there?.over === "closing" && !this.spool.is("ended");
  }

  #takeFailure(recorder: string, seq: number, failure: RemoteFailure): void {
    if (failure.kind === "stuck" || failure.kind === "too-slow") this.#givenUp.set(seq, (this.#givenUp.get(seq) ?? 0) + 1);
    // Both began without a network, and counted from the same number. Until it has another one, it is not sent.
    const file = this.#files.get(seq);
    if (failure.kind === "taken" && file && !this.#renumbering.has(seq)) {
      this.#renumbering.add(seq);
      this.taken(file);
    }
    // What it dates is sent with another time once it is known what its clock says now.
    if (failure.kind === "ahead") this.#asked_ms = -Infinity;
    const isUnread = failure.kind === "unreadable" || failure.kind === "damaged";
    const isLeft = isUnread && this.#unread.failed(seq, performance.now());
    if (failure.kind === "refused") this.#ledger.refused(seq);
    // The others go on without one that cannot be read.
    if (isLeft) this.#ledger.unreadable(seq);
    if (isLeft && failure.kind === "damaged") this.#damaged.add(seq);
    if (failure.kind === "refused" || isLeft) console.error(`segment ${seq} of ${this.spool.about.id}: ${failure.message}`);
    this.#isRefusedByEnd ||= failure.isAfterTheEnd;
    this.#fail(recorder, failure);
  }

  /** A recorder, or the way to it, has failed. */
  #fail(recorder: string, failure: RemoteFailure): void {
    const routed = this.#guide.routed();
    // An address that we were given may be a balancer's only, which has no broadcasts.
    if (failure.kind === "no-broadcast" && routed.length > 0 && !routed.includes(recorder)) {
      this.#route.remove(recorder);
      return;
    }
    if (!failure.isFatal() && !failure.isOfTheRecorder()) return;
    this.#route.failed(recorder, performance.now(), failure.retryAfter_ms, Math.random());
    // While another one answers, there is none.
    if (this.#route.isCutOff()) this.#trouble = { kind: failure.kind, detail: failure.message };
  }

  #reached(recorder: string): void {
    this.#route.answered(recorder);
    this.#recorder = recorder;
    this.#trouble = null;
  }

  /** Whoever stands still with what this recorder has taken meanwhile has failed. */
  #passOverWhoStandsStill(takenBy: string, now_ms: number): void {
    for (const flight of this.#flights) {
      const isOutrun = flight.seqs.every((seq) => !this.#ledger.isOwed(seq));
      if (flight.recorder === takenBy || !flight.isStuck(now_ms) || !isOutrun) continue;
      flight.giveUp();
      this.#route.failed(flight.recorder, now_ms, null, Math.random());
    }
  }

  /** Says what is to be said, or asks how things are: one at a time. */
  async #talk(): Promise<void> {
    if (this.#isTalking) return;
    this.#isTalking = true;
    try {
      const now_ms = performance.now();
      const recorder = this.#route.pick(now_ms);
      const said = this.#toSay();
      // What keeps anything from being sent is asked first: what is to be said may be refused for as long as nothing is sent.
      const isHeldUp = !this.#dating.isReady || this.#unsure.size > 0;
      const asksFirst = isHeldUp && now_ms - this.#asked_ms >= this.#askEvery(now_ms);
      if (said !== null && recorder !== undefined && !asksFirst) await this.#say(recorder, said);
      else await this.#ask(now_ms);
    } finally {
      this.#isTalking = false;
    }
  }

  async #say(recorder: string, said: Said): Promise<void> {
    try {
      await this.#remote.say(recorder, said, ANSWER_MAX_MS);
      this.#reached(recorder);
    } catch (error) {
      const failure = asFailure(error);
      this.#fail(recorder, failure);
      // It cannot be said any more, because of how things are there.
      if (failure.kind !== "refused") return;
      console.warn(`${said.kind}: ${failure.message}`);
    }
    const there = this.#there!;
    if (said.kind === "end") there.over = "ended";
    else if (said.kind === "abandon") there.abandoned.push([said.first, said.last]);
    else there.paused = said.kind === "pause";
    queueMicrotask(() => this.#step());
  }

  /** What the spool says and the other side has not been told, in order. */
  #toSay(): Said | null {
    const there = this.#there;
    if (there === null) return null;
    const [untold] = rangesOf(this.#neverToCome().filter((seq) => !contains(there.abandoned, seq) && !this.#isThere(seq)));
    // One may turn out to be unreadable when the end has long been said.
    if (there.over === "ended") return untold && this.spool.is("ended") ? { kind: "abandon", first: untold[0], last: untold[1] } : null;
    const isPaused = this.spool.is("paused");
    const goesOn = there.over === "no" && !this.spool.is("ended");
    if (goesOn && isPaused !== there.paused) return { kind: isPaused ? "pause" : "resume" };
    if (untold) return { kind: "abandon", first: untold[0], last: untold[1] };
    if (!this.spool.is("ended") || this.#mayBeRenumbered() || this.#isForOthersToEnd()) return null;
    const next = this.next();
    return { kind: "end", last: next === 0 ? null : next - 1 };
  }

  /** Where a broadcast ends that its owner has ended, only one can say who has recorded something of it. */
  #isForOthersToEnd(): boolean {
    return this.#there?.over === "closing" && this.#ledger.next() === 0;
  }

  /** What was lost here; and what is damaged, once nothing else is recorded. What cannot be read now may be read later. */
  #neverToCome(): number[] {
    const damaged = this.spool.is("ended") ? this.#damaged : [];
    return [...this.spool.found.lost, ...damaged].sort((a, b) => a - b);
  }

  /** Whether something here may get a number beyond the last: after the end that would not be taken any more. */
  #mayBeRenumbered(): boolean {
    return this.#renumbering.size > 0 || [...this.#ledger.with("owed"), ...this.#mayBeRead()].some((seq) => this.#isThere(seq));
  }

  /** What cannot be read now, and may be later. */
  #mayBeRead(): number[] {
    return this.#ledger.with("unreadable").filter((seq) => !this.#damaged.has(seq));
  }

  #isThere(seq: number): boolean {
    return this.#there?.stored.some(({ range }) => contains([range], seq)) ?? false;
  }

  async #ask(now_ms: number): Promise<void> {
    if (now_ms - this.#asked_ms < this.#askEvery(now_ms)) return;
    // A better one is used again as soon as it answers this.
    const recorder = this.#route.probe(now_ms) ?? this.#route.pick(now_ms);
    if (recorder === undefined) return;
    this.#asked_ms = now_ms;
    const asked = this.#dating.asks();
    try {
      const status = await this.#withRightToken((remote) => remote.status(recorder, PROBE_MAX_MS));
      this.#lookAtTheClock();
      this.#dating.learn(asked, status.server_ms);
      this.#unsure.clear();
      this.#ledger.arrived(arrivedOf(status, this.#files, this.#ledger));
      this.#sendAgainWhatStaysElsewhere(status.elsewhere);
      this.#there = status;
      if (status.over === "closing") this.#hearOfTheEnd();
      this.#reached(recorder);
      // It answers: a connection on which nothing moves waits for its own back-off, and another is quicker.
      for (const flight of this.#flights) if (flight.isStuck(performance.now())) flight.giveUp();
    } catch (error) {
      const failure = asFailure(error);
      // The next one is asked at once; this one is left alone for a while.
      if (!failure.isFatal()) this.#asked_ms = -Infinity;
      this.#fail(recorder, failure);
    }
    queueMicrotask(() => this.#step());
  }

  #askEvery(now_ms: number): number {
    if (this.#trouble?.kind === "unauthorized" || this.#trouble?.kind === "no-broadcast") return ASK_REFUSED_EVERY_MS;
    const notSafeYet = this.#ledger.isSent() && !this.#ledger.isSettled();
    const mayBeBack = this.#route.probe(now_ms) !== undefined;
    const isStuck = this.#flights.some((flight) => flight.isStuck(now_ms));
    return this.#there === null || !this.#dating.isReady || notSafeYet || mayBeBack || isStuck ? PROBE_MAX_MS : ASK_EVERY_MS;
  }

  /** What is at one recorder alone should soon be safe. If it does not become so, nobody may have it any more. */
  #sendAgainWhatStaysElsewhere(told: readonly Range[]): void {
    const now_ms = performance.now();
    const seqs = this.#ledger.with("stored").filter((seq) => contains(told, seq));
    this.#elsewhere = new Map(seqs.map((seq) => [seq, this.#elsewhere.get(seq) ?? now_ms]));
    for (const [seq, since_ms] of this.#elsewhere) {
      if (now_ms - since_ms >= SEND_AGAIN_AFTER_MS) this.#ledger.sendAgain(seq);
    }
  }

  async #askForRoute(): Promise<void> {
    const balancer = this.#isRouting ? undefined : this.#guide.due(performance.now(), this.#route.isCutOff());
    if (balancer === undefined) return;
    this.#isRouting = true;
    try {
      const routed = await this.#withRightToken((remote) => remote.route(balancer, PROBE_MAX_MS));
      this.#route.replace(this.#guide.told(routed, performance.now(), Math.random()));
      const { about } = this.spool;
      if (routed && routed.recorders.join() !== about.recorders.join()) {
        await this.spool.describe({ ...about, recorders: routed.recorders });
      }
    } catch (error) {
      this.#guide.failed(performance.now());
      const failure = asFailure(error);
      if (this.#route.isCutOff()) this.#trouble = { kind: failure.kind, detail: failure.message };
    } finally {
      this.#isRouting = false;
    }
    queueMicrotask(() => this.#step());
  }

  /** Only what is safe, the oldest first, and only beyond what may stay. */
  async #deleteWhatIsNotKept(): Promise<void> {
    if (this.#isDeleting) return;
    this.#isDeleting = true;
    try {
      while (this.#ledger.keptBytes() > this.keepBytes()) {
        const seq = this.#ledger.deletable();
        if (seq === undefined) return;
        await this.spool.remove(this.#files.get(seq)!);
        this.#ledger.deleted(seq);
      }
    } catch (error) {
      console.warn("cannot delete what is safe", error);
    } finally {
      this.#isDeleting = false;
    }
  }

  /** What is still here, in order. */
  here(): SegmentFile[] {
    const files = [...this.#files.values()].filter(({ seq }) => this.#ledger.get(seq)?.standing !== "deleted");
    return files.sort((a, b) => a.seq - b.seq);
  }

  report(): SegmentReport[] {
    const files = [...this.#files.values()].sort((a, b) => a.seq - b.seq);
    return files.map(({ seq, digest, bytes }) => ({ seq, digest, bytes, standing: this.#ledger.get(seq)!.standing }));
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  status(): UplinkStatus {
    const files = [...this.#files.values()];
    const now = runningTime_ms();
    const owed = this.#ledger.with("owed").map((seq) => this.#ledger.get(seq)!);
    const missing = owed.filter(({ captured_ms, duration_ms }) => captured_ms < now - liveFor_ms(duration_ms));
    const bytesPerSecond = this.#link.bytesPerSecondNow();
    return {
      id: this.spool.about.id,
      title: this.spool.about.title,
      said: this.spool.is("ended") ? "ended" : this.spool.is("paused") ? "paused" : "recording",
      endedThere: this.#there?.over === "ended",
      endedByOwner: this.#endedByOwner,
      isKnown: this.#there !== null,
      recorder: this.#trouble === null ? this.#recorder : null,
      trouble: this.#trouble,
      latency_ms: this.#latency_ms,
      newestArrived_ms: this.#newestArrived_ms,
      recorded: { segments: files.length, bytes: files.reduce((sum, file) => sum + file.bytes, 0) },
      owed: this.#ledger.owed(),
      unwritten_ms: 0,
      missing_ms: missing.reduce((sum, { duration_ms }) => sum + duration_ms, 0),
      owedRanges: this.#ledger.owedRanges(),
      notSafe: this.#ledger.with("stored").length,
      refused: this.#ledger.with("refused").length,
      isRefusedByEnd: this.#isRefusedByEnd,
      unreadable: this.#mayBeRead().length,
      damaged: this.#ledger.with("unreadable").filter((seq) => this.#damaged.has(seq)).length,
      lost: this.spool.found.lost.length + this.spool.found.torn.length,
      keptBytes: this.#ledger.keptBytes(),
      bitsPerSecond: bytesPerSecond === null ? null : Math.round(bytesPerSecond * 8),
      next: this.next(),
      isDone: this.#isDone,
    };
  }
}
