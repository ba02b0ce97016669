/**
 * The browser's own HLS as an engine: Safari, and phones without Media Source Extensions. It tells nothing of what it
 * loads, and does not try for ever, so that is done here.
 */
import type { Engine, EngineListener, EngineTask, Quality } from "../engine";
import type { Reading } from "../reading";
import { joinedAt_ms } from "../rejoin";
import { positionOf } from "../timeline";

const RETRY_MS = 2_000;
/** Longest pause between two tries; each is longer than the one before, while the server can be heard. */
const RETRY_MS_MAX = 30_000;
const RETRY_GROWTH = 1.5;
/** Errors in a row, of the media and without a moving picture between them, after which it cannot be played here. */
const ERRORS_MAX = 4;
/** MediaError.MEDIA_ERR_NETWORK */
const NETWORK = 2;
/** A picture that went on for so long after an error moves. */
const MOVED_S = 1;

export class NativeEngine implements Engine {
  readonly name = "native";
  readonly tellsPlaylists = false;
  readonly qualities: readonly Quality[] = [];
  readonly quality = null;
  readonly #video: HTMLVideoElement;
  readonly #url: string;
  readonly #on: EngineListener;
  readonly #listening = new AbortController();
  #start_s: number | null;
  #retrying: number | undefined;
  /** Those that are the media's. A new object when the count begins anew. */
  #errors = { count: 0 };
  #failedAt_s = 0;
  #joined_ms: number | null = null;

  static start(task: EngineTask): NativeEngine {
    return new NativeEngine(task);
  }

  private constructor({ video, url, start_s, on }: EngineTask) {
    this.#video = video;
    this.#url = url;
    this.#on = on;
    this.#start_s = start_s;
    const { signal } = this.#listening;
    video.addEventListener("error", () => void this.#failed(), { signal });
    video.addEventListener("timeupdate", () => {
      if (video.currentTime > this.#failedAt_s + MOVED_S) this.#errors = { count: 0 };
    }, { signal });
    video.addEventListener("loadedmetadata", () => this.#loaded(), { signal });
    video.src = url;
  }

  destroy(): void {
    this.#listening.abort();
    clearTimeout(this.#retrying);
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  retry(): void {
    this.#errors = { count: 0 };
    if (this.#video.error) this.#reload();
  }

  moveOn(): void {
    this.#errors = { count: 0 };
    this.#reload();
  }

  get staysAtLive(): boolean {
    return this.#video.seekable.length === 0;
  }

  /** Chromium's time begins where it joined, and it does not tell where that was: where players join, then. */
  offset_s(reading: Reading): number {
    const { duration, seekable } = this.#video;
    if (seekable.length > 0) return seekable.start(0);
    if (duration !== Infinity) return 0;
    const first_ms = reading.entries[0]?.at_ms;
    this.#joined_ms ??= joinedAt_ms(reading);
    if (first_ms === undefined || this.#joined_ms === null) return 0;
    // A playlist that slides has left it behind.
    if (this.#joined_ms < first_ms) return (first_ms - this.#joined_ms) / 1000;
    return -positionOf(reading, this.#joined_ms);
  }

  choose(): void {
    // The browser chooses.
  }

  #loaded(): void {
    const { duration } = this.#video;
    this.#joined_ms = null;
    const canSeek = duration !== Infinity || !this.staysAtLive;
    if (this.#start_s !== null && canSeek) this.#video.currentTime = this.#start_s;
    this.#start_s = null;
  }

  /** A browser does not say whose fault it is. What fails while the server can be heard is the media's. */
  async #failed(): Promise<void> {
    const { error, currentTime } = this.#video;
    const errors = this.#errors;
    this.#failedAt_s = currentTime;
    this.#on.error({ details: error?.message || `media error ${error?.code ?? 0}`, fatal: true });
    clearTimeout(this.#retrying);
    const pause_ms = Math.min(RETRY_MS * RETRY_GROWTH ** errors.count, RETRY_MS_MAX);
    this.#retrying = window.setTimeout(() => this.#reload(), pause_ms);
    const isHeard = await this.#on.doubt();
    if (!isHeard || error?.code === NETWORK || this.#listening.signal.aborted) return;
    errors.count += 1;
    if (errors.count > ERRORS_MAX && errors === this.#errors) this.#on.unplayable();
  }

  #reload(): void {
    clearTimeout(this.#retrying);
    const position_s = this.#video.currentTime;
    if (position_s > 0) this.#start_s = position_s;
    this.#joined_ms = null;
    this.#video.src = this.#url;
    this.#video.play().catch(() => undefined);
  }
}
