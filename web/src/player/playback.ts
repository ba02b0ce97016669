/**
 * Plays one broadcast in one video element, whatever happens to it: chooses the source, follows live, makes up for what
 * is behind, and knows what can be said. It draws nothing.
 */
import { Captions } from "./captions";
import { type Engine, type EngineError } from "./engine";
import { Feed } from "./feed";
import { type Opening, ask } from "./follow";
import { type Missed, lateFor } from "./missed";
import { type ViewName, readMultivariant } from "./multivariant";
import type { PlayerOptions } from "./options";
import { type Picture, PictureWatch } from "./picture";
import { type Wanted, mostLike } from "./quality";
import { type Reading, length_s } from "./reading";
import { type Following, afterAway, afterSeek, behind_s, catchUpRate, follow, isBehind, liveEdge_s, mayStepOver, waitsAtHole } from "./rejoin";
import { ServerClock } from "./server-clock";
import { Sound } from "./sound";
import type { Addresses, Source } from "./source";
import { type Knowledge, type News, NOTHING_KNOWN, hasStarted, heard, isOver, silenceLimit_ms } from "./standing";
import { beginning, open } from "./start";
import { isThrough, mediaFrom, momentOf, positionOf } from "./timeline";

const TICK_MS = 250;
/** A picture that stands, with media to go on with, is helped after this long. */
const STUCK_MS = 3_000;
/** Errors that are kept. */
const ERRORS_MAX = 50;
/** How often an ended broadcast is asked whether its recording is finished. */
const RECORDING_ASK_MS = 5_000;
const RECORDING_ASK_MS_MAX = 60_000;
/** A picture that has gone on for so long plays, whatever was thought of it. */
const PLAYS_S_MIN = 1;
/** How often the server is asked whether it can be heard again, when no playlist is due. */
const PROBE_MS = 2_000;
/** Shortest time between two jumps to live that nobody asked for. */
const JUMP_MS = 10_000;
/** Less media than this ahead, and a faster rate would only run dry. */
const READY_S_MIN = 1;
/** So far after its beginning, media is there whatever is rounded. */
const INSIDE_S = 0.05;

export interface PlaybackListener {
  /** There is something else to show. */
  changed(): void;
  /** The source is about to change: what is shown should stay in sight. */
  hold(): void;
}

export class Playback {
  readonly errors: EngineError[] = [];
  readonly sound: Sound;
  readonly captions: Captions;
  knowledge: Knowledge = NOTHING_KNOWN;
  following: Following = { kind: "live" };
  picture: Picture = "none";
  /** Nothing here can play it. */
  isUnplayable = false;
  /** The server was renewed, and has the code no more that plays it here. */
  isRenewed = false;
  /** What the viewer chose; live is always at 1. */
  speed = 1;
  feed: Feed | null = null;

  readonly #clock = new ServerClock();
  readonly #watch: PictureWatch;
  readonly #listening = new AbortController();
  readonly #ticking: number;
  readonly #settled = new Set<string>();
  #opening: Opening | null = null;
  #addresses: Addresses | null = null;
  #view: ViewName | null = null;
  /** What the viewer chose; null when the engine chooses. */
  #quality: Wanted | null = null;
  #begun = false;
  #wantsToPlay: boolean;
  #since_ms: number | null = null;
  #lastWord_ms = Date.now();
  /** Nobody answered, and no playlist has come since. */
  #wasOffline = false;
  /** One has come, and what is behind has not been seen to. */
  #wasSilent = false;
  #away: Missed | null = null;
  #recordingAsked_ms = 0;
  #recordingPause_ms = RECORDING_ASK_MS;
  #probed_ms = 0;
  #jumped_ms = 0;
  /** In what is played now. */
  #hasSought = false;

  constructor(
    readonly video: HTMLVideoElement,
    private readonly options: PlayerOptions,
    private readonly on: PlaybackListener,
  ) {
    this.sound = new Sound(video);
    this.captions = new Captions(video, this.#listening.signal);
    this.#watch = new PictureWatch(video);
    this.#wantsToPlay = options.autoplay ?? true;
    video.muted = options.muted ?? false;
    this.#open();
    this.#listen();
    this.#ticking = window.setInterval(() => this.#tick(), TICK_MS);
  }

  destroy(): void {
    clearInterval(this.#ticking);
    this.#listening.abort();
    this.#opening?.destroy();
    this.feed?.destroy();
  }

  // What the viewer can ask for.

  play(): void {
    this.#wantsToPlay = true;
    if (!this.feed) {
      void this.#begin();
      return this.on.changed();
    }
    if (this.hasEnded && this.feed.playing?.isEnded) this.seek(0);
    const { behind_s, feed } = this;
    const isNear = behind_s !== null && feed.playing && !isBehind(behind_s, feed.playing);
    if (this.following.kind === "free" && isNear) this.following = { kind: "live" };
    void this.sound.play();
    this.on.changed();
  }

  pause(): void {
    this.#wantsToPlay = false;
    this.following = { kind: "free" };
    this.video.pause();
    this.on.changed();
  }

  /** To a position in the playlist, in seconds from its beginning. */
  seek(position_s: number): void {
    const { feed } = this;
    if (!feed?.playing || this.staysAtLive) return;
    const most_s = this.isLive ? liveEdge_s(feed.playing) : Math.max(0, length_s(feed.playing) - 0.2);
    const to_s = Math.min(Math.max(0, position_s), most_s);
    this.following = afterSeek(this.following, to_s - this.position_s, this.isLive && to_s >= most_s - 0.5);
    this.#hasSought = true;
    this.video.currentTime = to_s + feed.offset_s;
    this.on.changed();
  }

  jumpToLive(): void {
    const { feed } = this;
    this.#jumped_ms = Date.now();
    this.#begun = true;
    this.following = { kind: "live" };
    this.speed = 1;
    const reaches = feed?.playing && !feed.playing.isEnded && !this.video.error && !waitsAtHole(feed.playing, feed.live);
    if (feed?.playing && reaches && !this.staysAtLive) this.video.currentTime = liveEdge_s(feed.playing) + feed.offset_s;
    else this.#goLive();
    this.play();
  }

  watchMissed(): void {
    const { missed } = this;
    if (!missed) return;
    this.settle(missed);
    if (missed.kind === "late") this.#play({ kind: "catchup", from: missed.from }, 0);
    else if (this.feed?.playing) this.seek(positionOf(this.feed.playing, missed.at_ms));
    this.following = isOver(this.knowledge.standing) ? { kind: "free" } : { kind: "catching-up" };
    this.play();
  }

  /** From here on, in catch-up: what a stretch of the timeline that came late leads to. */
  watchLate(from: number): void {
    this.#play({ kind: "catchup", from }, 0);
    this.following = isOver(this.knowledge.standing) ? { kind: "free" } : { kind: "catching-up" };
    this.play();
  }

  /** Not to be offered again. */
  settle(missed: Missed): void {
    if (missed.kind === "late") for (const id of missed.ids) this.#settled.add(id);
    else this.#away = null;
    this.on.changed();
  }

  /** From the beginning: the whole recording if it is finished, else what was shown. */
  watchRecording(): void {
    this.following = { kind: "free" };
    if (this.knowledge.standing.kind === "complete") this.#play({ kind: "vod" }, 0);
    else this.#play({ kind: "dvr" }, 0);
    this.play();
  }

  /** One of the engine's qualities; null to let it choose. */
  choose(quality: number | null): void {
    this.#quality = this.engine?.qualities.find(({ id }) => id === quality) ?? null;
    this.engine?.choose(quality);
    this.on.changed();
  }

  setSpeed(speed: number): void {
    if (this.staysAtLive) return;
    this.speed = speed;
    if (speed !== 1 && this.following.kind !== "free") this.following = { kind: "free" };
    this.#steer();
    this.on.changed();
  }

  // What can be said.

  get hasEnded(): boolean {
    return this.video.ended || this.picture === "ended";
  }

  get wantsToPlay(): boolean {
    return this.#wantsToPlay;
  }

  get now_ms(): number {
    return this.#clock.now_ms();
  }

  get engine(): Engine | null {
    return this.feed?.engine ?? null;
  }

  get addresses(): Addresses | null {
    return this.#addresses;
  }

  /** Whether what plays still grows. */
  get isLive(): boolean {
    return this.feed?.playing != null && !this.feed.playing.isEnded && this.feed.playing.type !== "vod";
  }

  /** Whether there is nothing but live here: see the engine. */
  get staysAtLive(): boolean {
    return this.isLive && this.engine?.staysAtLive === true;
  }

  /** In the playlist, in seconds from its beginning. */
  get position_s(): number {
    return Math.max(0, this.video.currentTime - (this.feed?.offset_s ?? 0));
  }

  /** When what is shown was captured. */
  get moment_ms(): number | null {
    return this.feed?.playing ? momentOf(this.feed.playing, this.position_s) : null;
  }

  /** How far behind live, in seconds of media; null if what plays does not grow. */
  get behind_s(): number | null {
    const { feed } = this;
    return feed?.playing && this.isLive ? behind_s(this.position_s, feed.playing, feed.live) : null;
  }

  /** Whether what was recorded next is still on its way, while live has gone on. */
  get waitsAtHole(): boolean {
    const { feed } = this;
    return this.picture === "standing" && feed?.playing != null && waitsAtHole(feed.playing, feed.live);
  }

  get missed(): Missed | null {
    const { feed } = this;
    if (!feed?.playing || feed.source.kind !== "dvr" || this.#since_ms === null || this.staysAtLive) return null;
    return lateFor(feed.playing, this.#since_ms, this.#settled) ?? this.#away;
  }

  // How it works.

  #open(): void {
    this.#opening = open(this.options, {
      word: (date) => this.#word(date),
      absent: (absence) => this.#hear({ kind: "absent", absence }),
      failure: (failure) => this.#hear({ kind: "failure", failure }),
      found: (addresses, view) => {
        this.#addresses = addresses;
        this.#view = view;
        this.#hear({ kind: "found", view });
        if (this.#wantsToPlay) void this.#begin();
      },
    });
  }

  /** The first source; nothing is loaded for a viewer who has not asked for it. */
  async #begin(): Promise<void> {
    if (this.#begun || !this.#addresses || !this.#view) return;
    this.#begun = true;
    const { source, start_s } = await beginning(this.options, this.#addresses, this.#view, this.#listening.signal);
    this.following = { kind: start_s === null ? "live" : "free" };
    this.#play(source, start_s);
  }

  #play(source: Source, start_s: number | null): void {
    if (!this.#addresses || this.#listening.signal.aborted) return;
    this.on.hold();
    this.feed?.destroy();
    this.#watch.reset();
    this.#hasSought = false;
    this.picture = "none";
    this.isUnplayable = false;
    this.isRenewed = false;
    this.video.autoplay = this.#wantsToPlay;
    this.feed = new Feed(this.video, source, this.#addresses, this.options, start_s, {
      standing: (reading) => this.#hear({ kind: "playlist", reading }),
      word: (date) => this.#word(date),
      absent: (absence) => this.#hear({ kind: "absent", absence }),
      qualities: () => this.#chooseAgain(),
      failure: (failure) => this.#hear({ kind: "failure", failure }),
      segment: (outcome) => this.#hear({ kind: "segment", outcome }),
      doubt: () => this.#probe(),
      unplayable: () => this.#unplayable(source),
      renewed: (isRenewed) => this.#renewed(isRenewed),
      error: (error) => {
        this.errors.push(error);
        if (this.errors.length > ERRORS_MAX) this.errors.shift();
      },
    });
    this.on.changed();
  }

  /** What was chosen counts for the next source, too. */
  #chooseAgain(): void {
    const { engine } = this;
    const quality = this.#quality && engine && mostLike(this.#quality, engine.qualities);
    if (quality) engine.choose(quality.id);
  }

  /** What can play live and not what came late, as some browsers' own HLS does, goes back to live. */
  #unplayable({ kind }: Source): void {
    if (kind === "catchup") return this.#goLive();
    this.#watch.reset();
    this.isUnplayable = true;
    this.on.changed();
  }

  #renewed(isRenewed: boolean): void {
    this.isRenewed = isRenewed;
    this.#word(null);
    this.#hear({ kind: "word" });
  }

  #goLive(): void {
    this.following = { kind: "live" };
    this.#play({ kind: this.options.view ?? "dvr" }, null);
  }

  #hear(news: News): void {
    const before = this.knowledge;
    this.knowledge = heard(before, news, this.now_ms);
    if (before.silence?.kind === "offline") this.#wasOffline = true;
    if (news.kind === "playlist") {
      this.#since_ms ??= this.now_ms;
      if (this.#wasOffline) this.#wasSilent = true;
      this.#wasOffline = false;
    }
    this.on.changed();
  }

  #word(date: string | null): void {
    this.#lastWord_ms = Date.now();
    this.#clock.note(date);
  }

  #listen(): void {
    const { signal } = this.#listening;
    const { video } = this;
    const changed = () => this.on.changed();
    for (const name of ["volumechange", "ratechange", "seeking", "playing", "loadeddata", "ended"]) {
      video.addEventListener(name, changed, { signal });
    }
    video.addEventListener("canplay", () => this.#wantsToPlay && video.paused && void this.sound.play(), { signal });
    // The browser's own buttons: media keys, the little window.
    video.addEventListener("play", () => (this.#wantsToPlay = true), { signal });
    video.addEventListener("pause", () => {
      // An error or a change of source is no wish.
      if (!video.ended && !video.error && video.readyState > 0 && !video.seeking) this.#wantsToPlay = false;
      changed();
    }, { signal });
    // The browser may be wrong about its network, in both directions: it only says when to look.
    addEventListener("online", () => this.#retry(), { signal });
    addEventListener("offline", () => void this.#probe(), { signal });
  }

  #retry(): void {
    this.#opening?.retry();
    this.feed?.retry();
  }

  /** Asks whether the server can be heard, and whether the broadcast is still there; gives whether both is so. */
  async #probe(): Promise<boolean> {
    this.#probed_ms = Date.now();
    const answer = await ask(this.options.source, this.#listening.signal, { cache: "no-store" });
    if (this.#listening.signal.aborted) return false;
    if (answer.kind === "failure") this.#hear({ kind: "failure", failure: answer.failure });
    else if (answer.kind === "absent") this.#hear({ kind: "absent", absence: answer.absence });
    else if (this.#endsByWord) this.#hear({ kind: "word" });
    if (answer.kind === "text") this.#word(answer.date);
    return answer.kind === "text";
  }

  /** Whether a word of the server's ends its silence: what is over, or rests, has no playlists to come that would. */
  get #endsByWord(): boolean {
    const { standing, silence } = this.knowledge;
    return isOver(standing) || ("since_ms" in standing && silence?.kind === "offline");
  }

  #tick(): void {
    const now_ms = Date.now();
    this.picture = this.#watch.look(now_ms, this.#wantsToPlay);
    // An engine waits for what would be behind gaps at the end.
    if (this.picture === "standing" && this.feed?.playing && isThrough(this.feed.playing, this.position_s)) this.picture = "ended";
    if (this.#watch.run_s >= PLAYS_S_MIN) this.isUnplayable = false;
    const { standing, silence } = this.knowledge;
    const limit_ms = silenceLimit_ms(this.feed?.playing?.target_s ?? 0);
    const silent_ms = now_ms - this.#lastWord_ms;
    if (hasStarted(standing) && !isOver(standing) && !silence && silent_ms > limit_ms) this.#hear({ kind: "failure", failure: "offline" });
    if (standing.kind === "ended") this.#askForRecording(now_ms);
    // Live may have come to rest.
    const isDue = silence ? this.#endsByWord : "since_ms" in standing && silent_ms > limit_ms / 2;
    if (isDue && now_ms - this.#probed_ms > PROBE_MS) void this.#probe();
    this.#steer();
    this.on.changed();
  }

  /** Rate, return to live, and a picture that stands though it need not. */
  #steer(): void {
    const { feed, video } = this;
    if (!feed?.playing) return;
    const behind = this.behind_s;
    if (behind !== null) this.following = follow(this.following, behind);
    if (behind !== null && this.#wasSilent && this.picture !== "none") this.#returned(behind);
    if (behind !== null && this.picture === "moving" && isBehind(behind, feed.playing)) this.#keepUp(behind);
    if (behind !== null && behind <= 0 && this.speed > 1) [this.speed, this.following] = [1, { kind: "live" }];
    const faster = this.following.kind === "catching-up" && behind !== null && this.#watch.ready_s() > READY_S_MIN;
    const rate = this.staysAtLive ? 1 : faster ? catchUpRate(behind) : this.following.kind === "free" ? this.speed : 1;
    video.preservesPitch = true;
    if (video.playbackRate !== rate) video.playbackRate = rate;
    if (this.picture === "standing") this.#help(feed, feed.playing);
  }

  /** A picture that waited too often is not at live any more. The browser's own HLS keeps to live in its own way. */
  #keepUp(behind: number): void {
    if (this.following.kind !== "live" || this.engine?.name === "native") return;
    if (afterAway(behind) !== "offer") this.following = { kind: "catching-up" };
    else if (Date.now() - this.#jumped_ms > JUMP_MS) this.jumpToLive();
  }

  /** The viewer's own network is back. */
  #returned(behind: number): void {
    this.#wasSilent = false;
    if (this.following.kind !== "live") return;
    const at_ms = this.moment_ms;
    if (this.staysAtLive) return afterAway(behind) === "go-on" ? undefined : this.jumpToLive();
    switch (afterAway(behind)) {
      case "go-on":
        return;
      case "catch-up":
        this.following = { kind: "catching-up" };
        return;
      case "offer":
        if (at_ms !== null) this.#away = { kind: "away", at_ms, length_s: behind };
        this.jumpToLive();
    }
  }

  #help(feed: Feed, playing: Reading): void {
    if (this.knowledge.silence) return;
    // A viewer who was live again under catch-up goes over to live where the picture stands anyway: it steps over holes.
    if (this.following.kind === "live" && waitsAtHole(playing, feed.live)) return this.#goLive();
    if (this.#watch.still_ms(Date.now()) < STUCK_MS || this.#watch.ready_s() > READY_S_MIN) return;
    // hls.js steps over a hole only while it plays, and what cannot begin does not. Who has sought may have to wait instead.
    const ahead_s = this.#watch.ahead_s();
    const isFirst = !this.#hasSought && this.video.played.length === 0;
    if (ahead_s !== null && mayStepOver(this.following, playing, { from_s: this.position_s, by_s: ahead_s, isFirst })) {
      return this.#stepTo(this.video.currentTime + ahead_s);
    }
    const next_s = mediaFrom(playing, this.position_s + 0.3);
    if (next_s !== null && next_s > this.position_s + 1 && next_s <= liveEdge_s(playing) + playing.target_s) {
      this.#stepTo(next_s + feed.offset_s);
    }
  }

  /** To where media begins, in the video's time. */
  #stepTo(position_s: number): void {
    this.video.currentTime = position_s + INSIDE_S;
    this.#watch.reset();
  }

  #askForRecording(now_ms: number): void {
    if (now_ms - this.#recordingAsked_ms < this.#recordingPause_ms || !this.#addresses) return;
    this.#recordingAsked_ms = now_ms;
    this.#recordingPause_ms = Math.min(2 * this.#recordingPause_ms, RECORDING_ASK_MS_MAX);
    void ask(this.#addresses.multivariantOf({ kind: "vod" }), this.#listening.signal).then((answer) => {
      if (answer.kind === "text" && readMultivariant(answer.text)) this.#hear({ kind: "recording" });
    });
  }
}
