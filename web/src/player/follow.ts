/**
 * Asks for playlists, where no engine does: before there is anything to play, beside an engine that tells nothing, and
 * of live while something else plays. Every failure is told; nothing is given up.
 */
import { sessionHeaders } from "./cmcd";
import { type Multivariant, readMultivariant } from "./multivariant";
import { type Reading, readPlaylist } from "./reading";
import { type Absence, type Failure, answerLimit_ms, readAbsence } from "./standing";

const RETRY_MS = 2_000;
/** Largest pause that a server may ask for. */
const RETRY_MS_MAX = 10_000;
/** Shortest pause between two requests. */
const PAUSE_MS_MIN = 500;

/** What came of one request. */
export type Answer =
  | { kind: "text"; text: string; url: string; date: string | null }
  | { kind: "absent"; absence: Absence; retry_ms: number; date: string | null }
  /** The broadcast goes on at another address. */
  | { kind: "over" }
  | { kind: "failure"; failure: Failure };

/** What the server says of a playlist when the metadata was lost: the Multivariant Playlist names another. */
export const OVER = 410;

/** GET of a playlist; if it is one that is reloaded, with its target duration. */
export async function ask(url: string, signal: AbortSignal, target_s = 0): Promise<Answer> {
  try {
    const late = AbortSignal.timeout(answerLimit_ms(target_s));
    const response = await fetch(url, { headers: sessionHeaders(url), signal: AbortSignal.any([signal, late]) });
    const date = response.headers.get("Date");
    if (response.ok) return { kind: "text", text: await response.text(), url: response.url || url, date };
    if (response.status === OVER) return { kind: "over" };
    const read = readAbsence(response.status, await response.json().catch(() => null));
    if (typeof read === "string") return { kind: "failure", failure: read };
    const after_s = Number(response.headers.get("Retry-After"));
    const retry_ms = after_s > 0 ? Math.min(after_s * 1000, RETRY_MS_MAX) : RETRY_MS;
    return { kind: "absent", absence: read, retry_ms, date };
  } catch {
    return { kind: "failure", failure: "offline" };
  }
}

export interface FollowListener {
  /** A playlist as it is now. */
  reading(reading: Reading, date: string | null): void;
  absent(absence: Absence, date: string | null): void;
  failure(failure: Failure): void;
  /** The broadcast goes on at another address, and is followed there. */
  moved(): void;
}

/** Something that goes on asking until it is destroyed. */
abstract class Asking {
  readonly #stop = new AbortController();
  #timer: number | undefined;

  destroy(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  /** Asks at once, if it waits. */
  retry(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    void this.run();
  }

  protected async run(): Promise<void> {
    const pause_ms = await this.turn(this.#stop.signal);
    if (pause_ms === null || this.#stop.signal.aborted) return;
    this.#timer = window.setTimeout(() => {
      this.#timer = undefined;
      void this.run();
    }, pause_ms);
  }

  protected get isDestroyed(): boolean {
    return this.#stop.signal.aborted;
  }

  /** One request; gives the pause until the next, or null to be done. */
  protected abstract turn(signal: AbortSignal): Promise<number | null>;
}

/** Waits for a Multivariant Playlist. */
export class Opening extends Asking {
  constructor(
    private readonly url: string,
    private readonly on: Omit<FollowListener, "reading" | "moved"> & {
      opened(found: Multivariant, url: string, date: string | null): void;
    },
  ) {
    super();
    void this.run();
  }

  protected async turn(signal: AbortSignal): Promise<number | null> {
    const answer = await ask(this.url, signal);
    if (this.isDestroyed) return null;
    if (answer.kind === "failure" || answer.kind === "over") {
      this.on.failure(answer.kind === "over" ? "server" : answer.failure);
      return RETRY_MS;
    }
    if (answer.kind === "absent") {
      this.on.absent(answer.absence, answer.date);
      return answer.retry_ms;
    }
    const found = readMultivariant(answer.text);
    if (!found) {
      this.on.failure("server");
      return RETRY_MS;
    }
    this.on.opened(found, answer.url, answer.date);
    return null;
  }
}

/** Follows a Media Playlist to its end. */
export class Follower extends Asking {
  #reading: Reading | null = null;

  constructor(
    private url: string,
    /** The Multivariant Playlist that leads to it. */
    private readonly multivariant: string,
    private readonly on: FollowListener,
  ) {
    super();
    void this.run();
  }

  protected async turn(signal: AbortSignal): Promise<number | null> {
    const answer = await ask(this.#address(), signal, this.#reading?.target_s);
    if (this.isDestroyed) return null;
    if (answer.kind === "over") return this.#moveOn(signal);
    if (answer.kind === "failure") {
      this.on.failure(answer.failure);
      return RETRY_MS;
    }
    if (answer.kind === "absent") {
      this.on.absent(answer.absence, answer.date);
      return answer.retry_ms;
    }
    return this.#take(answer.text, answer.date);
  }

  async #moveOn(signal: AbortSignal): Promise<number> {
    const answer = await ask(this.multivariant, signal);
    const found = answer.kind === "text" ? readMultivariant(answer.text) : null;
    if (!found) return RETRY_MS;
    [this.url, this.#reading] = [new URL(found.first, this.multivariant).href, null];
    this.on.moved();
    return PAUSE_MS_MIN;
  }

  #take(text: string, date: string | null): number | null {
    const before = this.#reading;
    this.#reading = readPlaylist(text, before);
    if (!this.#reading) {
      // A delta update that does not fit is asked for again, whole, at once; anything else is no playlist.
      if (before) return 0;
      this.on.failure("server");
      return RETRY_MS;
    }
    this.on.reading(this.#reading, date);
    if (this.#reading.isEnded) return null;
    return this.#reading.canBlock ? PAUSE_MS_MIN : Math.max(PAUSE_MS_MIN, this.#reading.target_s * 500);
  }

  /** With what RFC 8216bis, 6.2.5 offers: the answer waits for the next entry, and leaves out what we know. */
  #address(): string {
    const url = new URL(this.url);
    const last = this.#reading?.entries.at(-1);
    if (last && this.#reading?.canBlock) url.searchParams.set("_HLS_msn", String(last.msn + 1));
    if (last && this.#reading?.canSkip) url.searchParams.set("_HLS_skip", "YES");
    return url.href;
  }
}
