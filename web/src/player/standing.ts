/**
 * How the broadcast stands, as far as the player has heard. Pure: what is heard goes in with its time, by the server's
 * clock, and a standing comes out.
 */
import type { ViewName } from "./multivariant";
import type { Reading } from "./reading";

/** What the server said last. */
export type Standing =
  | { kind: "loading" }
  | { kind: "no-such-broadcast" }
  | { kind: "not-started" }
  | { kind: "live" }
  /** Nothing arrives, and the publisher did not say why. */
  | { kind: "interrupted"; since_ms: number }
  | { kind: "paused"; since_ms: number }
  /** Nothing more will be captured; some of it may still be on its way. */
  | { kind: "ended" }
  /** The whole recording is there. */
  | { kind: "complete" };

/** Whether the server can be heard. Its silence hides how the broadcast stands, so it is apart from the standing. */
export type Silence =
  | null
  /** Nobody answers from here: most likely the viewer's own network. */
  | { kind: "offline"; since_ms: number }
  /** Somebody answers, and says that they cannot. */
  | { kind: "server"; since_ms: number };

export interface Knowledge {
  standing: Standing;
  silence: Silence;
  /** The server answers, and has had no segment to give since then, so many times. Playlists may come meanwhile. */
  refused: { times: number; since_ms: number } | null;
}

/** What there is to hear. */
export type News =
  | { kind: "playlist"; reading: Reading }
  | { kind: "absent"; absence: Absence }
  | { kind: "failure"; failure: Failure }
  | { kind: "segment"; outcome: SegmentOutcome }
  /** The view that a broadcast's address leads to now. */
  | { kind: "found"; view: ViewName }
  /** The finished recording has been seen. */
  | { kind: "recording" }
  /** The server can be heard, and says nothing new. */
  | { kind: "word" };

/** What a problem document (RFC 9457) that came instead of a playlist says. */
export type Absence =
  | { kind: "no-such-broadcast" }
  /** It is there, and nothing of it can be played yet, or ever. */
  | { kind: "nothing-yet"; isOver: boolean };

/** Why there was no answer to use. */
export type Failure = "offline" | "server";

/** What came of asking for a segment, if the server answered: 5xx is a refusal. */
export type SegmentOutcome = "came" | "refused";

export const NOTHING_KNOWN: Knowledge = { standing: { kind: "loading" }, silence: null, refused: null };

/** `now_ms` is by the server's clock, as the dates of a playlist are. */
export function heard(before: Knowledge, news: News, now_ms: number): Knowledge {
  switch (news.kind) {
    case "playlist":
      return { ...before, standing: afterPlaylist(before.standing, news.reading), silence: null };
    case "absent":
      return { ...before, standing: afterAbsence(news.absence), silence: null };
    case "found":
      return { ...before, standing: afterView(news.view), silence: null };
    case "recording":
      return { ...before, standing: { kind: "complete" }, silence: null };
    case "word":
      return { ...before, silence: null };
    case "failure":
      // The first silence counts, unless it turns out to be of the other kind.
      if (before.silence?.kind === news.failure) return before;
      return { ...before, silence: { kind: news.failure, since_ms: before.silence?.since_ms ?? now_ms } };
    case "segment":
      return { ...before, refused: afterSegment(before.refused, news.outcome, now_ms) };
  }
}

function afterSegment(before: Knowledge["refused"], outcome: SegmentOutcome, now_ms: number): Knowledge["refused"] {
  return outcome === "came" ? null : { times: (before?.times ?? 0) + 1, since_ms: before?.since_ms ?? now_ms };
}

function afterPlaylist(before: Standing, reading: Reading): Standing {
  if (reading.type === "vod") return { kind: "complete" };
  if (reading.isEnded) return before.kind === "complete" ? before : { kind: "ended" };
  const open = reading.ranges.filter((range) => range.kind !== "recovered" && range.end_ms === null).at(-1);
  if (!open || open.kind === "recovered") return { kind: "live" };
  return { kind: open.kind, since_ms: open.start_ms };
}

/** Live may be interrupted or paused: its playlist will say. */
function afterView(view: ViewName): Standing {
  return { kind: view === "vod" ? "complete" : view === "dvr" ? "ended" : "live" };
}

function afterAbsence(absence: Absence): Standing {
  if (absence.kind === "no-such-broadcast") return absence;
  return absence.isOver ? { kind: "ended" } : { kind: "not-started" };
}

/** What the answer to a request for a playlist means; a JSON problem document, or anything else. */
export function readAbsence(status: number, document: unknown): Absence | Failure {
  const state = typeof document === "object" && document !== null && "state" in document ? document.state : null;
  if (status === 404 && typeof state === "string") {
    return { kind: "nothing-yet", isOver: state === "ended" || state === "complete" };
  }
  // 400 is what an address gets that is no broadcast's.
  return status === 404 || status === 400 || status === 410 ? { kind: "no-such-broadcast" } : "server";
}

/** Whether nothing new will be captured. */
export function isOver({ kind }: Standing): boolean {
  return kind === "ended" || kind === "complete";
}

/** Whether there may be something to play. */
export function hasStarted({ kind }: Standing): boolean {
  return kind !== "loading" && kind !== "no-such-broadcast" && kind !== "not-started";
}

/** How long, in target durations, a playlist that lives may be silent before we think that it cannot be heard. A
 * server answers after one and a half (RFC 8216bis, 6.2.1), and gives up on a blocking reload after three. */
const SILENT_TARGETS_MAX = 3;
const SILENT_MS_MIN = 5_000;

/** Longest wait for the first byte of an answer, unless a playlist asks for more. */
const ANSWER_MS_MIN = 15_000;
/** For an answer that was given at the last moment to come through. */
const UNDERWAY_MS = 3_000;

/** How long a request for a playlist may take: longer than the server may let a blocking reload wait. */
export function answerLimit_ms(target_s: number): number {
  return Math.max(ANSWER_MS_MIN, SILENT_TARGETS_MAX * target_s * 1000 + UNDERWAY_MS);
}

/** From when on, after the last word, silence is a failure. */
export function silenceLimit_ms(target_s: number): number {
  return Math.max(SILENT_MS_MIN, SILENT_TARGETS_MAX * target_s * 1000);
}
