/**
 * How long something may take. By hand, because Safari has AbortSignal.timeout only since 16 and AbortSignal.any since 17.4.
 */
export class Deadline {
  readonly #ending = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #end = () => this.#ending.abort();

  /** It comes after so long, or when `outer` ends. */
  constructor(
    after_ms: number,
    private readonly outer?: AbortSignal,
  ) {
    this.#timer = setTimeout(this.#end, after_ms);
    if (outer?.aborted) this.#end();
    outer?.addEventListener("abort", this.#end);
  }

  /** Ends when the time is over. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** It does not come any more: what it was for is done. */
  clear(): void {
    clearTimeout(this.#timer);
    this.outer?.removeEventListener("abort", this.#end);
  }
}
