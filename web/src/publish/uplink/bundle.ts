/**
 * Many segments in one request: part after part, each with its head (PUT /ingest/{id} in recorder/src/bundle.rs). Pure.
 */
import { refusal, RemoteFailure } from "./failure";

export const BUNDLE_TYPE = "application/vnd.headwater.bundle";

/** A part: what a request of its own would have been. */
export interface Part {
  /** `{rendition}/{file}` */
  path: string;
  headers: Readonly<Record<string, string>>;
  bytes: Uint8Array<ArrayBuffer>;
  /** What the answer must tell of a segment; `null` for an init section. */
  digest: string | null;
}

/** `closing`: the owner has ended the broadcast, and what was recorded until now is taken. */
export type Acknowledged = { safe: boolean; closing: boolean };

/** What became of a bundle. */
export interface Bundled {
  /** Of its segments, as far as is known, in their order. */
  segments: (Acknowledged | RemoteFailure)[];
  /** Why nothing is known of the rest. */
  broke: RemoteFailure | null;
}

export function writeBundle(parts: readonly Part[]): Blob {
  const pieces = parts.flatMap(({ path, headers, bytes }) => {
    const lines = Object.entries({ "content-length": String(bytes.length), ...headers });
    return [`${path}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`, bytes];
  });
  return new Blob(pieces, { type: BUNDLE_TYPE });
}

/** What an answer says of the segments of a bundle. */
export function readBundled(status: number, retryAfter: string | null, answer: unknown, parts: readonly Part[]): Bundled {
  const told = (typeof answer === "object" && answer !== null ? answer : {}) as { parts?: unknown };
  const answered = Array.isArray(told.parts) ? (told.parts as { status?: unknown; body?: unknown }[]) : [];
  // What became of an init section becomes of the segments that lack it: they would be sent again at once, and again.
  let noInit = new RemoteFailure("unexpected", "does not have the init section that came with it");
  const segments = answered.slice(0, parts.length).flatMap((part, index) => {
    const { digest } = parts[index]!;
    const code = Number(part.status);
    if (digest === null) {
      if (!(code >= 200 && code < 300)) noInit = refusal(code, null, part.body);
      return [];
    }
    const read = readAcknowledged(code, null, part.body, digest);
    return [read instanceof RemoteFailure && read.kind === "no-init" ? noInit : read];
  });
  if (status < 200 || status >= 300) return { segments, broke: refusal(status, retryAfter, answer) };
  const isAll = answered.length >= parts.length;
  return { segments, broke: isAll ? null : new RemoteFailure("unexpected", "it tells of fewer parts than were sent") };
}

/** What an answer says of one segment: it is believed of exactly the bytes that were sent. */
export function readAcknowledged(
  status: number,
  retryAfter: string | null,
  answer: unknown,
  digest: string,
): Acknowledged | RemoteFailure {
  if (!(status >= 200 && status < 300)) return refusal(status, retryAfter, answer);
  const told = (typeof answer === "object" && answer !== null ? answer : {}) as { digest?: unknown; safe?: unknown; closing?: unknown };
  if (told.digest !== digest) return new RemoteFailure("unexpected", `stored ${String(told.digest)} of other bytes`);
  return { safe: told.safe === true, closing: told.closing === true };
}
