/**
 * Asks again and again, one at a time, until destroyed.
 */
export class Poll {
  #timer: number | undefined;
  #destroyed = false;

  /** `work` must handle its own failures. The next one starts `pause_ms` after it is done. */
  constructor(
    private readonly work: () => Promise<void>,
    private readonly pause_ms: number,
  ) {
    void this.#run();
  }

  destroy(): void {
    this.#destroyed = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    await this.work();
    if (!this.#destroyed) this.#timer = window.setTimeout(() => void this.#run(), this.pause_ms);
  }
}
