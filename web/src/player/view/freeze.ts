/**
 * Keeps the last picture in sight while the source under it changes.
 */
import { element } from "../../element";
import { reveal } from "./parts";

/** Something better than an old picture must have come by then. */
const HELD_MS_MAX = 8_000;

export class Freeze {
  readonly root = element("canvas", { class: "hw-freeze", "aria-hidden": "true", hidden: true });
  #timer: number | undefined;

  constructor(
    private readonly video: HTMLVideoElement,
    signal: AbortSignal,
  ) {
    video.addEventListener("timeupdate", () => this.#release(), { signal });
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  take(): void {
    const { videoWidth: width, videoHeight: height, readyState } = this.video;
    const pen = this.root.getContext("2d");
    if (width === 0 || readyState < this.video.HAVE_CURRENT_DATA || !pen) return;
    [this.root.width, this.root.height] = [width, height];
    pen.drawImage(this.video, 0, 0, width, height);
    reveal(this.root, true);
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => reveal(this.root, false), HELD_MS_MAX);
  }

  #release(): void {
    if (this.root.hidden || this.video.paused || this.video.readyState < this.video.HAVE_FUTURE_DATA) return;
    clearTimeout(this.#timer);
    reveal(this.root, false);
  }
}
