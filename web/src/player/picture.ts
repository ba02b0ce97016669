/**
 * Whether the picture moves, asked regularly.
 */

export type Picture =
  /** There has been none yet. */
  | "none"
  | "moving"
  /** It should move and does not. */
  | "standing"
  /** The viewer wants it to stand. */
  | "held"
  | "ended";

/** So long without movement is standing. */
const STANDS_MS = 700;

export class PictureWatch {
  #position_s = -1;
  #moved_ms = 0;

  constructor(private readonly video: HTMLVideoElement) {}

  /** Begins anew, with another source. */
  reset(): void {
    this.#position_s = -1;
  }

  /** For how long it has not moved, by the page's clock. */
  still_ms(now_ms: number): number {
    const { currentTime } = this.video;
    if (currentTime !== this.#position_s) {
      this.#position_s = currentTime;
      this.#moved_ms = now_ms;
    }
    return now_ms - this.#moved_ms;
  }

  look(now_ms: number, wantsToPlay: boolean): Picture {
    const { video } = this;
    const still_ms = this.still_ms(now_ms);
    if (video.ended) return "ended";
    if (video.readyState < video.HAVE_CURRENT_DATA && video.currentTime === 0) return "none";
    if (!wantsToPlay) return "held";
    return still_ms > STANDS_MS ? "standing" : "moving";
  }

  /** Media that lies ready after the position, in seconds. */
  ready_s(): number {
    const { buffered, currentTime } = this.video;
    for (let index = 0; index < buffered.length; index++) {
      if (buffered.start(index) <= currentTime + 0.1 && currentTime < buffered.end(index)) {
        return buffered.end(index) - currentTime;
      }
    }
    return 0;
  }
}
