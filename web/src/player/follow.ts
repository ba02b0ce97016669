/**
 * Asks for playlists, where no engine does: before there is anything to play, beside an engine that tells nothing, and
 * of live while something else plays. Every failure is told; nothing is given up.
 */
import { Deadline } from "../deadline";
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

interface How {
  /** Of a playlist that is reloaded. */
  target_s?: number;
  /** "no-store" if what the browser has kept would say nothing of the network. */
  cache?: RequestCache;
}

/** GET of a playlist. */
export async function ask(url: string, signal: AbortSignal, { target_s = 0, cache = "default" }: How = {}): Promise<Answer> {
  const headers = sessionHeaders(url);
  const deadline = new Deadline(answerLimit_ms(target_s), signal);
  // Only what the network does with it is the network's fault; any other error is a defect, and says so.
  const response = await fetch(url, { headers, cache, signal: deadline.signal }).catch(() => null);
  const answer = response && (await read(response, url));
  deadline.clear();
  return answer ?? { kind: "failure", failure: "offline" };
}

/** Null if it breaks off. */
async function read(response: Response, url: string): Promise<Answer | null> {
  const date = response.headers.get("Date");
  if (response.ok) {
    const text = await response.text().catch(() => null);
    return text === null ? null : { kind: "text", text, url: response.url || url, date };
  }
  if (response.status === OVER) return { kind: "over" };
  const found = readAbsence(response.status, await response.json().catch(() => null));
  if (typeof found === "string") return { kind: "failure", failure: found };
  const after_s = Number(response.headers.get("Retry-After"));
  const retry_ms = after_s > 0 ? Math.min(after_s * 1000, RETRY_MS_MAX) : RETRY_MS;
  return { kind: "absent", absence: found, retry_ms, date };
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
  /** Waiting for the next entry was in vain, and it has not come since: live rests, in a long interruption. */
  #rests = false;

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
    const answer = await ask(this.#address(), signal, { target_s: this.#reading?.target_s ?? 0 });
    if (this.isDestroyed) return null;
    if (answer.kind === "over") return this.#moveOn(signal);
    if (answer.kind === "failure" && answer.failure === "server" && this.#waits) {
      // Who asks without waiting learns whether it is the server, or only the entry that does not come.
      this.#rests = true;
      return 0;
    }
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
    if (lastOf(this.#reading) !== lastOf(before)) this.#rests = false;
    this.on.reading(this.#reading, date);
    if (this.#reading.isEnded) return null;
    return this.#waits ? PAUSE_MS_MIN : Math.max(PAUSE_MS_MIN, this.#reading.target_s * 500);
  }

  /** Whether the next answer waits for the next entry. */
  get #waits(): boolean {
    return !this.#rests && this.#reading?.canBlock === true && this.#reading.entries.length > 0;
  }

  /** With what RFC 8216bis, 6.2.5 offers: the answer waits for the next entry, and leaves out what we know. */
  #address(): string {
    const url = new URL(this.url);
    const last = lastOf(this.#reading);
    if (last !== null && this.#waits) url.searchParams.set("_HLS_msn", String(last + 1));
    if (last !== null && this.#reading?.canSkip) url.searchParams.set("_HLS_skip", "YES");
    return url.href;
  }
}

/** The media sequence number of the last entry. */
function lastOf(reading: Reading | null): number | null {
  return reading?.entries.at(-1)?.msn ?? null;
}
