/**
 * The watch page: asks what the broadcast is doing, says so, and plays it as soon as there is something to play.
 */
import type Hls from "hls.js";
import { hasStarted, isOver } from "./broadcast";
import { required } from "./element";
import { Poll } from "./poll";
import { ApiFailure, getBroadcast } from "./transport";
import { Playback, type PlaybackError } from "./watch/playback";
import { type Standing, seen, words } from "./watch/standing";
import { WatchView } from "./watch/view";

const ASK_MS = 5_000;
const TICK_MS = 1_000;

declare global {
  interface Window {
    /** For tests, and for reports of defects from the browser's console. */
    headwater?: { readonly hls: Hls | null; readonly video: HTMLVideoElement; readonly errors: PlaybackError[] };
  }
}

class WatchPage {
  readonly #view: WatchView;
  readonly #poll: Poll;
  readonly #ticking: number;
  #standing: Standing = { kind: "loading" };
  #playback: Playback | null = null;
  /** What plays was opened while the broadcast went on, so it is not the recording. */
  #playsLive = false;
  #clockAhead_ms = 0;

  constructor(
    private readonly id: string,
    root: HTMLElement,
  ) {
    this.#view = new WatchView(root, {
      jumpToLive: () => this.#playback?.jumpToLive(),
      watchRecording: () => this.#watchRecording(),
    });
    this.#poll = new Poll(() => this.#ask(), ASK_MS);
    this.#ticking = window.setInterval(() => this.#show(), TICK_MS);
    this.#expose();
  }

  destroy(): void {
    clearInterval(this.#ticking);
    this.#poll.destroy();
    this.#playback?.destroy();
    this.#view.destroy();
    delete window.headwater;
  }

  async #ask(): Promise<void> {
    try {
      const { broadcast, clock_ahead_ms } = await getBroadcast(this.id);
      this.#clockAhead_ms = clock_ahead_ms;
      this.#standing = seen(this.#standing, broadcast, this.#now_ms());
      if (hasStarted(broadcast.state)) this.#startPlayback(!isOver(broadcast.state));
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.#standing = this.#afterFailure(error);
    }
    this.#show();
  }

  #afterFailure(error: ApiFailure): Standing {
    if (error.kind === "not-found") return { kind: "no-such-broadcast" };
    const { kind } = this.#standing;
    if (kind === "out-of-touch") return this.#standing;
    return { kind: "out-of-touch", before: kind === "known" ? this.#standing : null };
  }

  #startPlayback(live: boolean): void {
    if (this.#playback) return;
    this.#playsLive = live;
    this.#playback = new Playback(this.#view.video, `/hls/${encodeURIComponent(this.id)}/index.m3u8`);
  }

  #watchRecording(): void {
    this.#playsLive = false;
    this.#playback?.restart();
  }

  #show(): void {
    const over = this.#standing.kind === "known" && isOver(this.#standing.state);
    this.#view.show(this.#standing, words(this.#standing, this.#now_ms()));
    this.#view.showPlayback(over ? null : (this.#playback?.behind_s ?? null), over && this.#playsLive);
  }

  #now_ms(): number {
    return Date.now() + this.#clockAhead_ms;
  }

  #expose(): void {
    const playback = () => this.#playback;
    const { video } = this.#view;
    window.headwater = {
      video,
      get hls() {
        return playback()?.hls ?? null;
      },
      get errors() {
        return playback()?.errors ?? [];
      },
    };
  }
}

/** The id in an address of the form /watch/{id}. */
const id = decodeURIComponent(/^\/watch\/([^/]+)/.exec(location.pathname)?.[1] ?? "");
const page = new WatchPage(id, required("watch"));
addEventListener("pagehide", (event) => {
  // A page that the browser keeps for the back button goes on when it is shown again.
  if (!event.persisted) page.destroy();
});
