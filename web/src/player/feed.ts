/**
 * One source at work: its engine, whoever asks for playlists that the engine does not tell of, and what they read.
 */
import { Renewed, loaded } from "../code";
import { type Engine, type EngineError, type EngineTask, startEngine } from "./engine";
import { Follower } from "./follow";
import type { PlayerOptions } from "./options";
import { type Reading, readPlaylist } from "./reading";
import type { Addresses, Source } from "./source";
import type { Absence, Failure, SegmentOutcome } from "./standing";

export interface FeedListener {
  /** How the broadcast stands: what live says, whatever is played. */
  standing(reading: Reading): void;
  /** The server has answered. */
  word(date: string | null): void;
  absent(absence: Absence): void;
  qualities(): void;
  failure(failure: Failure): void;
  segment(outcome: SegmentOutcome): void;
  doubt(): Promise<boolean>;
  unplayable(): void;
  /** The server answers. Whether it has the engine's code no more: it was renewed. */
  renewed(isRenewed: boolean): void;
  error(error: EngineError): void;
}

export class Feed {
  engine: Engine | null = null;
  /** The playlist that is played. */
  playing: Reading | null = null;
  /** What live shows meanwhile, if that is another playlist. */
  live: Reading | null = null;
  readonly #followers: Follower[] = [];
  /** How often, on end, the engine's code was not there. */
  #misses = 0;
  #isDestroyed = false;

  constructor(
    private readonly video: HTMLVideoElement,
    readonly source: Source,
    private readonly addresses: Addresses,
    options: PlayerOptions,
    start_s: number | null,
    private readonly on: FeedListener,
  ) {
    void this.#start(options, start_s);
    // Catch-up and the recording say nothing of how the broadcast stands.
    if (source.kind === "catchup") this.#follow({ kind: "dvr" }, (reading) => this.#tookLive(reading));
  }

  destroy(): void {
    this.#isDestroyed = true;
    for (const follower of this.#followers) follower.destroy();
    this.engine?.destroy();
  }

  /** Where the first entry of `playing` lies in the video's time. */
  get offset_s(): number {
    return (this.playing && this.engine?.offset_s(this.playing, this.video.currentTime)) ?? 0;
  }

  /** Tries again at once. */
  retry(): void {
    for (const follower of this.#followers) follower.retry();
    this.engine?.retry();
  }

  async #start(options: PlayerOptions, start_s: number | null): Promise<void> {
    const { on } = this;
    const task: EngineTask = {
      video: this.video,
      url: this.addresses.multivariantOf(this.source),
      start_s,
      hasMedia: this.addresses.hasMedia,
      on: {
        playlist: (text, date) => this.#told(text, date),
        qualities: () => on.qualities(),
        failure: (failure) => on.failure(failure),
        segment: (outcome) => on.segment(outcome),
        doubt: () => on.doubt(),
        unplayable: () => on.unplayable(),
        error: (error) => on.error(error),
      },
    };
    try {
      const engine = await loaded(() => startEngine(options.engine ?? "auto", task, options.shaka));
      if (this.#isDestroyed) return engine.destroy();
      this.engine = engine;
      if (this.#misses > 0) on.renewed(false);
      if (!engine.tellsPlaylists) this.#follow(this.source, (reading) => this.#tookPlaying(reading), engine);
    } catch (error) {
      if (this.#isDestroyed) return;
      this.#misses = error instanceof Renewed ? this.#misses + 1 : 0;
      if (this.#misses > 0) on.renewed(this.#misses >= MISSES_MIN);
      else on.failure("offline");
      window.setTimeout(() => {
        if (!this.#isDestroyed) void this.#start(options, start_s);
      }, RESTART_MS);
    }
  }

  /** `beside` an engine, if it plays the same. */
  #follow(source: Source, take: (reading: Reading) => void, beside?: Engine): void {
    const { on } = this;
    let isSilent = false;
    const listener = {
      reading: (reading: Reading, date: string | null) => {
        on.word(date);
        take(reading);
        if (isSilent) beside?.retry();
        isSilent = false;
      },
      absent: (absence: Absence, date: string | null) => {
        on.word(date);
        on.absent(absence);
      },
      failure: (failure: Failure) => {
        isSilent = true;
        on.failure(failure);
      },
      moved: () => beside?.moveOn?.(),
    };
    this.#followers.push(new Follower(this.addresses.mediaOf(source), this.addresses.multivariantOf(source), listener));
  }

  #told(text: string, date: string | null): void {
    this.on.word(date);
    const reading = readPlaylist(text, this.playing);
    if (reading) this.#tookPlaying(reading);
  }

  #tookPlaying(reading: Reading): void {
    this.playing = reading;
    if (this.source.kind !== "catchup") this.on.standing(reading);
  }

  #tookLive(reading: Reading): void {
    this.live = reading;
    this.on.standing(reading);
  }
}

const RESTART_MS = 2_000;
/** Once may have been the network, in the middle of it. */
const MISSES_MIN = 2;
