/**
 * The browser's own HLS as an engine: Safari, and phones without Media Source Extensions. It tells nothing of what it
 * loads, and does not try for ever, so that is done here.
 */
import type { Engine, EngineListener, EngineTask, Quality } from "../engine";

const RETRY_MS = 2_000;
/** Errors in a row, without a moving picture between them, after which it is the media and not the network. */
const ERRORS_MAX = 4;
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
  #errors = 0;
  #failedAt_s = 0;

  static start(task: EngineTask): NativeEngine {
    return new NativeEngine(task);
  }

  private constructor({ video, url, start_s, on }: EngineTask) {
    this.#video = video;
    this.#url = url;
    this.#on = on;
    this.#start_s = start_s;
    const { signal } = this.#listening;
    video.addEventListener("error", () => this.#failed(), { signal });
    video.addEventListener("timeupdate", () => {
      if (video.currentTime > this.#failedAt_s + MOVED_S) this.#errors = 0;
    }, { signal });
    video.addEventListener("loadedmetadata", () => this.#seekToStart(), { signal });
    video.src = url;
  }

  destroy(): void {
    this.#listening.abort();
    clearTimeout(this.#retrying);
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  retry(): void {
    if (this.#video.error) this.#reload();
  }

  moveOn(): void {
    this.#reload();
  }

  offset_s(): number {
    // Its time begins with the playlist.
    return 0;
  }

  choose(): void {
    // The browser chooses.
  }

  #seekToStart(): void {
    if (this.#start_s !== null) this.#video.currentTime = this.#start_s;
    this.#start_s = null;
  }

  #failed(): void {
    const { error } = this.#video;
    this.#errors += 1;
    this.#failedAt_s = this.#video.currentTime;
    this.#on.error({ details: error?.message || `media error ${error?.code ?? 0}`, fatal: true });
    if (this.#errors > ERRORS_MAX) return this.#on.unplayable();
    clearTimeout(this.#retrying);
    this.#retrying = window.setTimeout(() => this.#reload(), RETRY_MS);
  }

  #reload(): void {
    clearTimeout(this.#retrying);
    const position_s = this.#video.currentTime;
    if (position_s > 0) this.#start_s = position_s;
    this.#video.src = this.#url;
    this.#video.play().catch(() => undefined);
  }
}
