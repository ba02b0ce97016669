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
/** A larger step between two looks is a jump, and no playing: they are a quarter of a second apart. */
const STEP_S_MAX = 1;

export class PictureWatch {
  #position_s = -1;
  #moved_ms = 0;
  #run_s = 0;

  constructor(private readonly video: HTMLVideoElement) {}

  /** Begins anew, with another source. */
  reset(): void {
    this.#position_s = -1;
    this.#run_s = 0;
  }

  /** For how much media it has gone on since the last jump. */
  get run_s(): number {
    return this.#run_s;
  }

  /** For how long it has not moved, by the page's clock. */
  still_ms(now_ms: number): number {
    const { currentTime } = this.video;
    if (currentTime !== this.#position_s) {
      const step_s = currentTime - this.#position_s;
      this.#run_s = step_s > 0 && step_s < STEP_S_MAX ? this.#run_s + step_s : 0;
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

  /** How far it is to the next media that lies ready, in seconds; null if there is none. */
  ahead_s(): number | null {
    const { buffered, currentTime } = this.video;
    for (let index = 0; index < buffered.length; index++) {
      if (buffered.start(index) > currentTime) return buffered.start(index) - currentTime;
    }
    return null;
  }

  /** Media that lies ready after the position, in seconds. */
  ready_s(): number {
    const { buffered, currentTime } = this.video;
    for (let index = 0; index < buffered.length; index++) {
      if (buffered.start(index) <= currentTime && currentTime < buffered.end(index)) {
        return buffered.end(index) - currentTime;
      }
    }
    return 0;
  }
}
