/**
 * The server's JSON API. Every failure is an ApiFailure, which pages put into the words of their language; nothing is
 * retried here.
 */
import type { Broadcast, Details } from "./broadcast";
import { Deadline } from "./deadline";

/** Longest wait for an answer. */
const ANSWER_MS_MAX = 10_000;
/** As many as the server gives at once. */
const LIST_LENGTH = 100;

export interface Created {
  id: string;
  title: string;
  publish: { token: string; ingest_url: string; push_url: string; youtube_url: string };
  watch: { page_url: string; multivariant_url: string };
}

export type ApiFailureKind =
  /** The server did not answer. */
  | "unreachable"
  /** The owner key is missing or wrong. */
  | "refused"
  | "not-found"
  /** What came is no answer of this API. */
  | "nonsense"
  /** Any other answer that is not a success. */
  | "failed";

export class ApiFailure extends Error {
  constructor(
    readonly kind: ApiFailureKind,
    /** Null without an answer. */
    readonly status: number | null,
    /** What the server says of it, in English; may be empty. */
    readonly detail = "",
  ) {
    super(detail || (status === null ? "The server does not answer." : `The server answers ${status}.`));
  }
}

/** A broadcast, and how far the server's clock is ahead of ours, in ms. */
export interface Seen {
  broadcast: Details;
  clock_ahead_ms: number;
}

/** The newest broadcasts: so many pages of them, and whether there are more. */
export async function listBroadcasts(ownerKey: string | null, pages: number): Promise<{ broadcasts: Broadcast[]; more: boolean }> {
  const broadcasts: Broadcast[] = [];
  let next: string | null = null;
  for (let page = 0; page < pages; page++) {
    const after: string = next === null ? "" : `&after=${encodeURIComponent(next)}`;
    const { body } = await request<ListPage>(`/v1/broadcasts?limit=${LIST_LENGTH}${after}`, { ownerKey });
    broadcasts.push(...body.broadcasts);
    next = body.next;
    if (next === null) break;
  }
  return { broadcasts, more: next !== null };
}

interface ListPage {
  broadcasts: Broadcast[];
  next: string | null;
}

export async function getBroadcast(id: string): Promise<Seen> {
  const { body, clock_ahead_ms } = await request<Details>(`/v1/broadcasts/${encodeURIComponent(id)}`, {});
  return { broadcast: body, clock_ahead_ms };
}

export async function createBroadcast(title: string, ownerKey: string | null): Promise<Created> {
  return (await request<Created>("/v1/broadcasts", { ownerKey, post: { title } })).body;
}

/** Where to send and watch it, for its owner. */
export async function getPublishing(id: string, ownerKey: string | null): Promise<Created> {
  return (await request<Created>(`/v1/broadcasts/${encodeURIComponent(id)}/publish`, { ownerKey })).body;
}

/** `abandon`: all that has not come is given up. */
export type Order = "pause" | "resume" | "end" | "abandon";

export async function order(id: string, what: Order, ownerKey: string | null): Promise<Details> {
  return (await request<Details>(`/v1/broadcasts/${encodeURIComponent(id)}/${what}`, { ownerKey, post: {} })).body;
}

interface Options {
  ownerKey?: string | null;
  post?: unknown;
}

async function request<T>(path: string, options: Options): Promise<{ body: T; clock_ahead_ms: number }> {
  const deadline = new Deadline(ANSWER_MS_MAX);
  try {
    return await exchange<T>(path, options, deadline.signal);
  } finally {
    deadline.clear();
  }
}

async function exchange<T>(path: string, options: Options, signal: AbortSignal): Promise<{ body: T; clock_ahead_ms: number }> {
  const headers = new Headers({ Accept: "application/json" });
  if (options.ownerKey) headers.set("Authorization", `Bearer ${options.ownerKey}`);
  const init: RequestInit = { headers, cache: "no-store", signal };
  if (options.post !== undefined) {
    headers.set("Content-Type", "application/json");
    init.method = "POST";
    init.body = JSON.stringify(options.post);
  }
  const response = await fetch(path, init).catch(() => {
    throw new ApiFailure("unreachable", null);
  });
  if (!response.ok) throw await failure(response);
  const body = await response.json().catch(() => {
    throw new ApiFailure("nonsense", response.status);
  });
  return { body: body as T, clock_ahead_ms: clockAhead(response) };
}

/** With what a problem document (RFC 9457) says. */
async function failure(response: Response): Promise<ApiFailure> {
  const problem = (await response.json().catch(() => ({}))) as { title?: unknown; detail?: unknown };
  const said = [problem.detail, problem.title].find((text) => typeof text === "string" && text !== "");
  return new ApiFailure(kindOf(response.status), response.status, said as string | undefined);
}

function kindOf(status: number): ApiFailureKind {
  if (status === 401 || status === 403) return "refused";
  return status === 404 ? "not-found" : "failed";
}

/** The Date header counts whole seconds: good enough for "interrupted for 42 s". */
function clockAhead(response: Response): number {
  const server_ms = Date.parse(response.headers.get("Date") ?? "");
  return Number.isNaN(server_ms) ? 0 : server_ms - Date.now();
}
