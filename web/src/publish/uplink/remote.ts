/**
 * The publish protocol over HTTP, of one broadcast and one rendition. All calls are idempotent, and may be made again.
 */
import type { SegmentFile } from "../spool/names";
import { Damaged } from "../spool/spool";
import { type Acknowledged, BUNDLE_TYPE, type Bundled, type Part, readAcknowledged, readBundled, writeBundle } from "./bundle";
import { type Answer, exchange, type Request, Watched } from "./exchange";
import { refusal, RemoteFailure } from "./failure";
import type { Routed } from "./guide";
import { type Range, readRanges } from "./seqs";

export const RENDITION = "main";
/** The most recorders of a route that are looked at. */
const ROUTE_LEN_MAX = 32;

/** What a recorder knows of the broadcast. */
export interface RemoteStatus {
  /** By its clock, since the Unix epoch. */
  server_ms: number;
  paused: boolean;
  over: Over;
  stored: { range: Range; digest: string }[];
  safe: Range[];
  /** Arrived, not safe, and not at this recorder. */
  elsewhere: Range[];
  abandoned: Range[];
}

/** `closing`: its owner has ended it; what was recorded until this is heard is taken, until its publisher has said where it ends. */
export type Over = "no" | "closing" | "ended";

/** What a publisher says beside its segments. */
export type Said =
  | { kind: "pause" | "resume" }
  | { kind: "abandon"; first: number; last: number }
  /** `last`: the number of the last segment, if there is one. */
  | { kind: "end"; last: number | null };

/** A segment with its bytes, ready to go. */
export interface Outgoing {
  segment: SegmentFile;
  bytes: Uint8Array<ArrayBuffer>;
  /** By the recorders' clock. */
  captured_ms: number;
}

export class Remote {
  constructor(
    private readonly id: string,
    private readonly token: string,
  ) {}

  /** To which recorders to send, as a balancer says; `null` if there is no balancer at that address. */
  async route(balancer: string, limit_ms: number): Promise<Routed | null> {
    const answer = await this.#ask({ method: "GET", url: `${balancer}/v1/publish/${this.id}/route`, limit_ms });
    if (answer.status === 404 || answer.status === 405) return null;
    return readRoute(success(answer));
  }

  /** What of the broadcast has arrived. */
  async status(recorder: string, limit_ms: number): Promise<RemoteStatus> {
    return readStatus(success(await this.#ask({ method: "GET", url: `${recorder}/ingest/${this.id}`, limit_ms })));
  }

  async putSegment(recorder: string, outgoing: Outgoing, limit_ms: number, watched: Watched): Promise<Acknowledged> {
    const part = await partOf(outgoing);
    const answer = await this.#put(recorder, part, limit_ms, watched);
    const read = readAcknowledged(answer.status, answer.retryAfter, answer.json, outgoing.segment.digest);
    if (read instanceof RemoteFailure) throw read;
    return read;
  }

  async putInit(recorder: string, bytes: Uint8Array<ArrayBuffer>, limit_ms: number, watched: Watched): Promise<void> {
    success(await this.#put(recorder, await initPart(bytes), limit_ms, watched));
  }

  async #put(recorder: string, part: Part, limit_ms: number, watched: Watched): Promise<Answer> {
    const url = `${recorder}/ingest/${this.id}/${part.path}`;
    return this.#ask({ method: "PUT", url, headers: part.headers, body: part.bytes, limit_ms }, watched);
  }

  async putBundle(recorder: string, parts: Part[], limit_ms: number, watched: Watched): Promise<Bundled> {
    const url = `${recorder}/ingest/${this.id}`;
    const headers = { "content-type": BUNDLE_TYPE };
    try {
      const answer = await this.#ask({ method: "PUT", url, headers, body: writeBundle(parts), limit_ms }, watched);
      return readBundled(answer.status, answer.retryAfter, answer.json, parts);
    } catch (error) {
      return { segments: [], broke: asFailure(error) };
    }
  }

  async say(recorder: string, said: Said, limit_ms: number): Promise<void> {
    const url = `${recorder}/v1/broadcasts/${this.id}/${said.kind}`;
    const headers = { "content-type": "application/json" };
    success(await this.#ask({ method: "POST", url, headers, body: saidBody(said), limit_ms }));
  }

  #ask(request: Omit<Request, "token">, watched?: Watched): Promise<Answer> {
    return exchange({ ...request, token: this.token }, watched);
  }
}

export function asFailure(error: unknown): RemoteFailure {
  if (error instanceof RemoteFailure) return error;
  return new RemoteFailure(error instanceof Damaged ? "damaged" : "unreadable", error instanceof Error ? error.message : String(error));
}

/** A segment as a part of a bundle, or as a request of its own. */
export async function partOf({ segment, bytes, captured_ms }: Outgoing): Promise<Part> {
  const headers: Record<string, string> = {
    "segment-captured-at": String(Math.round(captured_ms)),
    "content-digest": await contentDigest(bytes),
  };
  if (segment.init !== null) headers["segment-init"] = segment.init;
  return { path: `${RENDITION}/${segment.seq}.${segment.container}`, headers, bytes, digest: segment.digest };
}

export async function initPart(bytes: Uint8Array<ArrayBuffer>): Promise<Part> {
  return { path: `${RENDITION}/init.mp4`, headers: { "content-digest": await contentDigest(bytes) }, bytes, digest: null };
}

/** RFC 9530. */
async function contentDigest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `sha-256=:${btoa(String.fromCharCode(...digest))}:`;
}

function saidBody(said: Said): string {
  if (said.kind === "abandon") return JSON.stringify({ rendition: RENDITION, first: said.first, last: said.last });
  if (said.kind === "end") return JSON.stringify({ last: said.last === null ? {} : { [RENDITION]: said.last } });
  return "";
}

function success(answer: Answer): unknown {
  if (answer.status >= 200 && answer.status < 300) return answer.json;
  throw refusal(answer.status, answer.retryAfter, answer.json);
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

export function readRoute(answer: unknown): Routed {
  const { recorders, ttl_s } = record(answer);
  const urls = (Array.isArray(recorders) ? recorders : []).map((entry) => record(entry).url);
  const isWeb = (url: unknown): url is string => typeof url === "string" && /^https?:\/\//.test(url);
  const usable = urls.filter(isWeb).slice(0, ROUTE_LEN_MAX).map((url) => url.replace(/\/+$/, ""));
  if (usable.length === 0) throw new RemoteFailure("unexpected", "a route without a recorder");
  return { recorders: usable, ttl_ms: (Number(ttl_s) || 0) * 1000 };
}

export function readStatus(answer: unknown): RemoteStatus {
  const { state, closing, server_time_ms, renditions } = record(answer);
  const main = record(record(renditions)[RENDITION]);
  const ranges = (name: string) => {
    const read = readRanges(main[name] ?? []);
    if (read === null) throw new RemoteFailure("unexpected", "a range that is none");
    return read;
  };
  const digests = Array.isArray(main.stored_digests) ? main.stored_digests.map(String) : [];
  if (typeof server_time_ms !== "number" || typeof state !== "string") {
    throw new RemoteFailure("unexpected", "it does not say what has arrived");
  }
  return {
    server_ms: server_time_ms,
    paused: state === "paused",
    over: closing === true ? "closing" : state === "ended" || state === "complete" ? "ended" : "no",
    stored: ranges("stored").map((range, index) => ({ range, digest: digests[index] ?? "" })),
    safe: ranges("safe"),
    elsewhere: ranges("elsewhere"),
    abandoned: ranges("abandoned"),
  };
}
