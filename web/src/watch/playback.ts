/**
 * Plays one multivariant playlist in one video element: hls.js where it runs, the browser's own HLS elsewhere.
 *
 * It knows nothing of broadcasts. What is not there yet is asked for again, calmly, until it is.
 */
import Hls, { ErrorTypes, Events } from "hls.js";
import type { ErrorData } from "hls.js";
import workerPath from "hls.js/dist/hls.worker.js?url";

const RETRY_MS = 3_000;
/** What was played stays at hand for this long, so that memory does not grow with the broadcast. */
const BACK_BUFFER_S = 60;
/** A picture that should move and has not for this long is taken to the live edge. */
const STUCK_MS = 8_000;
const WATCH_MS = 1_000;

/** Something that went wrong; only a fatal one stopped the picture. */
export interface PlaybackError {
  details: string;
  fatal: boolean;
}

export class Playback {
  /** Kept for tests and reports of defects; the latest ones. */
  readonly errors: PlaybackError[] = [];
  hls: Hls | null = null;

  readonly #listening = new AbortController();
  readonly #watching: number;
  #retry: number | undefined;
  #moved = { at_ms: 0, position_s: -1 };

  constructor(
    readonly video: HTMLVideoElement,
    private readonly url: string,
  ) {
    video.addEventListener("error", () => this.#nativeError(), { signal: this.#listening.signal });
    this.#watching = window.setInterval(() => this.#freeIfStuck(), WATCH_MS);
    this.#start();
  }

  destroy(): void {
    this.#listening.abort();
    clearInterval(this.#watching);
    this.#stop();
  }

  /** Begins again with what the server has now: after the end, the whole recording. */
  restart(): void {
    this.#stop();
    this.#start();
  }

  /** How far the picture is behind live, in seconds; null if what plays is not live. */
  get behind_s(): number | null {
    const edge = this.#liveEdge();
    return edge === null ? null : Math.max(0, edge - this.video.currentTime);
  }

  jumpToLive(): void {
    const edge = this.#liveEdge();
    if (edge !== null) this.video.currentTime = edge;
    this.#play();
  }

  #start(): void {
    if (Hls.isSupported()) {
      this.hls = new Hls({ workerPath, backBufferLength: BACK_BUFFER_S });
      this.hls.on(Events.ERROR, (_event, data) => this.#hlsError(data));
      this.hls.on(Events.MANIFEST_PARSED, () => this.#play());
      this.hls.loadSource(this.url);
      this.hls.attachMedia(this.video);
    } else {
      this.video.src = this.url;
      this.#play();
    }
  }

  #stop(): void {
    clearTimeout(this.#retry);
    this.hls?.destroy();
    this.hls = null;
    this.video.removeAttribute("src");
  }

  #play(): void {
    // A browser may refuse, or a new source come between: then the viewer presses play.
    this.video.play().catch(() => undefined);
  }

  /** The newest position that plays without waiting. */
  #liveEdge(): number | null {
    if (this.hls) return this.hls.latestLevelDetails?.live ? this.hls.liveSyncPosition : null;
    const { seekable, duration } = this.video;
    return duration === Infinity && seekable.length > 0 ? seekable.end(seekable.length - 1) : null;
  }

  #hlsError(data: ErrorData): void {
    this.#note({ details: data.details, fatal: data.fatal });
    if (!data.fatal) return;
    if (data.type === ErrorTypes.MEDIA_ERROR) this.hls?.recoverMediaError();
    else this.#restartLater();
  }

  #nativeError(): void {
    // hls.js reports errors of its own.
    if (this.hls) return;
    this.#note({ details: this.video.error?.message ?? "unknown", fatal: true });
    this.#restartLater();
  }

  #restartLater(): void {
    clearTimeout(this.#retry);
    this.#retry = window.setTimeout(() => this.restart(), RETRY_MS);
  }

  #note(error: PlaybackError): void {
    const LATEST = 100;
    this.errors.push(error);
    if (this.errors.length > LATEST) this.errors.shift();
  }

  /** After a long interruption the position may lie where nothing will ever be. */
  #freeIfStuck(): void {
    const now_ms = performance.now();
    const { currentTime, paused, seeking } = this.video;
    if (paused || seeking || currentTime !== this.#moved.position_s) {
      this.#moved = { at_ms: now_ms, position_s: currentTime };
      return;
    }
    const edge = this.#liveEdge();
    if (edge === null || now_ms - this.#moved.at_ms < STUCK_MS || edge <= currentTime + 1) return;
    this.#moved.at_ms = now_ms;
    this.video.currentTime = edge;
  }
}
