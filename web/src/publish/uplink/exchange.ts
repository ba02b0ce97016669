/**
 * One request and its answer, watched while its body goes. XMLHttpRequest, because fetch does not tell how far a body
 * has come.
 */
import { RemoteFailure } from "./failure";

export interface Request {
  method: "GET" | "PUT" | "POST";
  url: string;
  token: string;
  headers?: Readonly<Record<string, string>>;
  body?: Blob | Uint8Array<ArrayBuffer> | string;
  /** How long nothing may move. */
  limit_ms: number;
}

export interface Answer {
  status: number;
  retryAfter: string | null;
  json: unknown;
}

/** What the one who sends and the one who watches share. */
export class Watched {
  #moved_ms = performance.now();
  #abort: ((why: RemoteFailure) => void) | null = null;
  #givenUp: RemoteFailure | null = null;

  /** When the last of it moved, by a clock that does not jump. */
  get moved_ms(): number {
    return this.#moved_ms;
  }

  moved(): void {
    this.#moved_ms = performance.now();
  }

  /** Another way is quicker. */
  giveUp(): void {
    this.#givenUp = new RemoteFailure("stuck", "answers, and nothing moves on this connection");
    this.#abort?.(this.#givenUp);
  }

  /** Calls this when it is given up, which may have happened already. */
  whenGivenUp(abort: (why: RemoteFailure) => void): void {
    this.#abort = abort;
    if (this.#givenUp) abort(this.#givenUp);
  }
}

/** How often it is looked whether anything has moved. */
const TICK_MS = 250;
/** The longest answer that is read, in characters. */
const ANSWER_LEN_MAX = 8 << 20;

/** Sends it. Rejects with a RemoteFailure if no answer comes. */
export function exchange(request: Request, watched = new Watched()): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const done = () => clearInterval(timer);
    const fail = (why: RemoteFailure) => {
      done();
      xhr.abort();
      reject(why);
    };
    const timer = setInterval(() => {
      if (performance.now() - watched.moved_ms < request.limit_ms) return;
      fail(new RemoteFailure("stalled", `nothing moved for ${Math.round(request.limit_ms / 1000)} s`));
    }, TICK_MS);
    watched.moved();
    watched.whenGivenUp(fail);
    xhr.open(request.method, request.url);
    xhr.setRequestHeader("authorization", `Bearer ${request.token}`);
    for (const [name, value] of Object.entries(request.headers ?? {})) xhr.setRequestHeader(name, value);
    if (request.body !== undefined) xhr.upload.onprogress = () => watched.moved();
    xhr.onerror = () => fail(new RemoteFailure("unreachable", "cannot be reached"));
    xhr.onload = () => {
      done();
      resolve({ status: xhr.status, retryAfter: xhr.getResponseHeader("retry-after"), json: json(xhr.responseText) });
    };
    xhr.send((request.body ?? null) as XMLHttpRequestBodyInit | null);
  });
}

/** `null` for what is no JSON. */
function json(text: string): unknown {
  if (text.length > ANSWER_LEN_MAX) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
