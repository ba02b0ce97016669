/**
 * Starting to play, with sound if the browser allows it and without if it does not.
 */

/** Why there is no sound. */
export type Silenced = "no" | "by-viewer" | "by-browser";

export class Sound {
  /** The browser wants a press before it plays anything at all. */
  needsPress = false;
  #silencedByBrowser = false;

  constructor(private readonly video: HTMLVideoElement) {}

  /** Plays; what the browser refuses is tried without sound, and then left to the viewer. */
  async play(): Promise<void> {
    const { video } = this;
    try {
      await video.play();
      this.needsPress = false;
    } catch (error) {
      if (!isRefusal(error)) return;
      if (video.muted) {
        this.needsPress = true;
      } else {
        this.#silencedByBrowser = true;
        video.muted = true;
        await this.play();
      }
    }
  }

  get silenced(): Silenced {
    if (!this.video.muted) return "no";
    return this.#silencedByBrowser ? "by-browser" : "by-viewer";
  }

  /** By the viewer's own hand. */
  setMuted(muted: boolean): void {
    this.#silencedByBrowser = false;
    this.video.muted = muted;
    if (!muted && this.video.volume === 0) this.video.volume = 0.5;
  }

  setVolume(volume: number): void {
    this.video.volume = Math.min(1, Math.max(0, volume));
    this.setMuted(this.video.volume === 0);
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotAllowedError";
}
