/**
 * Captions: whether the viewer wants them, whatever tracks each source has.
 */
export class Captions {
  /** Null until the viewer says. */
  #isWanted: boolean | null = null;

  constructor(
    private readonly video: Pick<HTMLVideoElement, "textTracks">,
    signal: AbortSignal,
  ) {
    // Another source has other tracks.
    video.textTracks.addEventListener("addtrack", () => this.#apply(), { signal });
  }

  get areThere(): boolean {
    return this.#tracks.length > 0;
  }

  get areShown(): boolean {
    return this.#tracks.some(({ mode }) => mode === "showing");
  }

  /** Shows the first, or none. */
  toggle(): void {
    this.#isWanted = !this.areShown;
    this.#apply();
  }

  #apply(): void {
    if (this.#isWanted === null) return;
    for (const [index, track] of this.#tracks.entries()) track.mode = this.#isWanted && index === 0 ? "showing" : "hidden";
  }

  get #tracks(): TextTrack[] {
    return Array.from(this.video.textTracks).filter(({ kind }) => kind === "captions" || kind === "subtitles");
  }
}
