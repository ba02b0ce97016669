/**
 * The player as a site sees it: made in an element, told what to do, asked how it is, destroyed.
 */
import { element } from "../element";
import { chooseLanguage } from "../language";
import type { Engine, EngineError } from "./engine";
import type { PlayerOptions } from "./options";
import { Playback } from "./playback";
import { length_s } from "./reading";
import { PlayerView } from "./view";
import { wordsIn } from "./words";

/** How the player is, for those who draw around it. */
export interface PlayerState {
  /** How the broadcast stands, or why that is not known. */
  standing:
    | "loading"
    | "no-such-broadcast"
    | "not-started"
    | "live"
    | "interrupted"
    | "paused"
    | "ended"
    | "complete"
    | "offline"
    | "server-trouble";
  /** Since when it is interrupted, paused, or cannot be heard, in ms since the Unix epoch. */
  since_ms: number | null;
  view: "none" | "live" | "dvr" | "catchup" | "vod" | "other";
  following: "live" | "catching-up" | "free";
  isPlaying: boolean;
  /** Whether the end was reached, and nothing more is to come. */
  hasEnded: boolean;
  isMuted: boolean;
  /** In seconds from the beginning of what is played. */
  position_s: number;
  /** The length of what is played; null while it grows. */
  duration_s: number | null;
  /** How far behind live, in seconds of media; null if it is not live. */
  behind_s: number | null;
  /** When what is shown was captured, in ms since the Unix epoch. */
  moment_ms: number | null;
  /** How much was missed and can be watched now; null if nothing is offered. */
  missed_s: number | null;
}

export class Player {
  readonly video = element("video", { class: "hw-video", playsinline: true });
  readonly #playback: Playback;
  readonly #view: PlayerView;
  readonly #listeners = new Set<(state: PlayerState) => void>();

  constructor(root: HTMLElement, options: PlayerOptions) {
    const source = new URL(options.source, document.baseURI).href;
    const language = options.language ?? chooseLanguage("", navigator.languages);
    // What changes before there is a view is shown with its first drawing.
    const late: { view: PlayerView | null } = { view: null };
    const changed = () => {
      late.view?.show();
      if (late.view) this.#tell();
    };
    this.#playback = new Playback(this.video, { ...options, source }, { changed, hold: () => late.view?.hold() });
    this.#view = new PlayerView(this.video, this.#playback, wordsIn(language), language, { ...options, source });
    late.view = this.#view;
    root.append(this.#view.root);
    this.#view.show();
  }

  destroy(): void {
    this.#listeners.clear();
    this.#playback.destroy();
    this.#view.destroy();
  }

  play(): void {
    this.#playback.play();
  }

  pause(): void {
    this.#playback.pause();
  }

  setMuted(muted: boolean): void {
    this.#playback.sound.setMuted(muted);
  }

  /** In seconds from the beginning of what is played. */
  seek(position_s: number): void {
    this.#playback.seek(position_s);
  }

  jumpToLive(): void {
    this.#playback.jumpToLive();
  }

  /** Takes the offer to watch what was missed, if there is one. */
  watchMissed(): void {
    this.#playback.watchMissed();
  }

  watchRecording(): void {
    this.#playback.watchRecording();
  }

  /** What a key pressed elsewhere on the page means to the player; true if it meant something. */
  press(event: KeyboardEvent): boolean {
    return this.#view.press(event);
  }

  /** Calls back with every change, and several times a second while it plays; gives back how to stop that. */
  onState(listener: (state: PlayerState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get state(): PlayerState {
    const { knowledge, feed, following, behind_s, moment_ms, position_s, missed, isLive } = this.#playback;
    const { standing, silence } = knowledge;
    const since = silence ?? ("since_ms" in standing ? standing : null);
    return {
      standing: silence?.kind === "server" ? "server-trouble" : (silence?.kind ?? standing.kind),
      since_ms: since?.since_ms ?? null,
      view: feed?.source.kind ?? "none",
      following: following.kind,
      isPlaying: this.#playback.picture === "moving",
      hasEnded: this.#playback.hasEnded,
      isMuted: this.video.muted,
      position_s,
      duration_s: feed?.playing && !isLive ? length_s(feed.playing) : null,
      behind_s,
      moment_ms,
      missed_s: missed?.length_s ?? null,
    };
  }

  /** For tests and reports of defects. */
  get engine(): Engine | null {
    return this.#playback.engine;
  }

  /** The latest things that went wrong. */
  get errors(): readonly EngineError[] {
    return this.#playback.errors;
  }

  #tell(): void {
    if (this.#listeners.size === 0) return;
    const { state } = this;
    for (const listener of this.#listeners) listener(state);
  }
}
