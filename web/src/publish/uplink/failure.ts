/**
 * Why a recorder has not done what it was asked, and what to do about it. Pure. The same as in publisher/src/remote.rs.
 */

export type FailureKind =
  /** The recorder, or the way to it: another one may do. */
  | "unreachable"
  | "stalled"
  | "busy"
  | "unexpected"
  /** It answers, and nothing moved on this connection. */
  | "stuck"
  | "too-slow"
  | "no-init"
  /** By its clock, what is to be sent is yet to be captured. */
  | "ahead"
  /** This segment, for good. */
  | "refused"
  /** Somebody else has sent another segment under this number. */
  | "taken"
  /** What is to be sent cannot be read, now: the device may be busy. */
  | "unreadable"
  /** What is to be sent is not what was written, or not there. */
  | "damaged"
  /** Nothing can be sent before somebody has done something about it. */
  | "unauthorized"
  | "no-broadcast";

export class RemoteFailure extends Error {
  constructor(
    readonly kind: FailureKind,
    detail: string,
    /** For how long the recorder asked to be left alone. */
    readonly retryAfter_ms: number | null = null,
    /** Whether it is because of the end: nothing more is taken that was not named before. */
    readonly isAfterTheEnd = false,
  ) {
    super(detail);
  }

  /** Whether another recorder may do, or this one later. */
  isOfTheRecorder(): boolean {
    // Of one that calls something ahead, the clock may be behind.
    return ["unreachable", "stalled", "busy", "unexpected", "ahead"].includes(this.kind);
  }

  isFatal(): boolean {
    return this.kind === "unauthorized" || this.kind === "no-broadcast";
  }
}

const FOR_GOOD = [
  "ended",
  "abandoned",
  "not-a-media-segment",
  "too-large",
  "unsupported-media-type",
  "too-many-renditions",
  "bad-request",
];

/** What an answer that is no success means. `retryAfter` is its header. */
export function refusal(status: number, retryAfter: string | null, problem: unknown): RemoteFailure {
  const told = (typeof problem === "object" && problem !== null ? problem : {}) as Record<string, unknown>;
  const detail = typeof told.detail === "string" && told.detail !== "" ? told.detail : String(status);
  // What is not one of our problems was said by somebody on the way: a proxy, or a hotel that wants a login first.
  const ours = typeof told.type === "string" && told.type.startsWith("/problems/") ? told.type.slice(10) : "";
  if ((status === 401 || status === 403) && (ours === "unauthorized" || ours === "forbidden")) {
    return new RemoteFailure("unauthorized", detail);
  }
  if (status === 404 && ours === "not-found") return new RemoteFailure("no-broadcast", detail);
  if (status === 409 && ours === "no-init-section") return new RemoteFailure("no-init", detail);
  if (status === 408) return new RemoteFailure("too-slow", detail);
  if (ours === "other-bytes-stored") return new RemoteFailure("taken", detail);
  if (status === 422 && ours === "unprocessable" && Number.isInteger(told.server_time_ms)) return new RemoteFailure("ahead", detail);
  if (FOR_GOOD.includes(ours)) return new RemoteFailure("refused", detail, null, ours === "ended" || ours === "abandoned");
  if (status === 503 || status === 429) {
    const seconds = Number(retryAfter ?? Number.NaN);
    return new RemoteFailure("busy", detail, Number.isFinite(seconds) && retryAfter !== "" ? seconds * 1000 : null);
  }
  return new RemoteFailure("unexpected", detail);
}
