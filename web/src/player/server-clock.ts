/**
 * The server's clock, as its answers show it.
 */

/** Date counts whole seconds: on average it is this late. */
const HALF_SECOND_MS = 500;

export class ServerClock {
  #ahead_ms: number | null = null;

  /** Notes the Date of an answer. What travelled long, or was kept by a cache, is late: the latest counts. */
  note(date: string | null): void {
    const server_ms = Date.parse(date ?? "");
    if (Number.isNaN(server_ms)) return;
    const ahead_ms = server_ms + HALF_SECOND_MS - Date.now();
    this.#ahead_ms = Math.max(this.#ahead_ms ?? -Infinity, ahead_ms);
  }

  now_ms(): number {
    return Date.now() + (this.#ahead_ms ?? 0);
  }
}
