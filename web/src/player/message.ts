/**
 * What the player says over the picture, if anything: which message, since when it counts, and what the viewer can do.
 * Pure.
 */
import type { Missed } from "./missed";
import type { Picture } from "./picture";
import type { Knowledge } from "./standing";
import type { Words } from "./words";

export type Action = "jump-to-live" | "watch-recording" | "watch-from-start" | "watch-missed" | "reload";

export interface Message {
  /** Which one, for tests and styles. */
  kind:
    | "loading"
    | "buffering"
    | "waits-at-hole"
    | "unplayable"
    | "renewed"
    | "nothing-recorded"
    | "offline"
    | "server"
    | Exclude<Knowledge["standing"]["kind"], "loading" | "live">;
  title: string;
  hint: string;
  /** By the server's clock; null if time does not matter. */
  since_ms: number | null;
  actions: readonly Action[];
  /** In the way of the picture, or a line beside it. */
  weight: "card" | "line";
}

/** What there is to know. */
export interface Situation {
  knowledge: Knowledge;
  picture: Picture;
  /** Whether the viewer wants it to play, and the browser lets it. */
  shouldPlay: boolean;
  isUnplayable: boolean;
  isRenewed: boolean;
  waitsAtHole: boolean;
  /** Whether what plays is at live: then live's trouble is the viewer's. */
  isAtLive: boolean;
  /** Whether there is anything to play. */
  hasSource: boolean;
  /** Whether the recording is what plays. */
  isRecording: boolean;
}

/** Null when the picture says everything. */
export function messageFor(situation: Situation, words: Words): Message | null {
  const { knowledge, picture, isUnplayable, isRenewed, waitsAtHole } = situation;
  const { standing, silence } = knowledge;
  const make = (kind: Message["kind"], title: string, hint: string, more: Partial<Message> = {}): Message => {
    return { kind, title, hint, since_ms: null, actions: [], weight: "card", ...more };
  };
  if (isUnplayable) return make("unplayable", words.unplayable, words.unplayableHint);
  if (silence) {
    // While there is something left to show, a line is enough.
    const weight = picture === "moving" || picture === "held" ? "line" : "card";
    const more = { since_ms: silence.since_ms, weight } as const;
    if (silence.kind === "server") return make("server", words.server, words.serverHint, more);
    // Only what is live goes on meanwhile.
    const hint = standing.kind === "live" ? words.offlineHint : words.offlineStillHint;
    return make("offline", words.offline, hint, more);
  }
  if (isRenewed) return make("renewed", words.renewed, words.renewedHint, { actions: ["reload"] });
  switch (standing.kind) {
    case "loading":
      return make("loading", words.loading, "");
    case "no-such-broadcast":
      return make("no-such-broadcast", words.noSuchBroadcast, words.noSuchBroadcastHint);
    case "not-started":
      return make("not-started", words.notStarted, words.notStartedHint);
    case "interrupted":
    case "paused":
      return outage(standing.kind, standing.since_ms, situation, words);
    case "ended":
    case "complete":
      return over(standing.kind, situation, words);
    case "live":
      if (waitsAtHole) {
        const actions = ["jump-to-live"] as const;
        return make("waits-at-hole", words.waitsAtHole, words.waitsAtHoleHint, { actions });
      }
      return lacking(situation, words);
  }
}

/** A server that has refused segments so often, one after the other, has a problem. */
const REFUSED_MIN = 3;

/** Of a picture that should move and does not. */
function lacking({ picture, shouldPlay, knowledge: { refused } }: Situation, words: Words): Message | null {
  if (!shouldPlay || (picture !== "none" && picture !== "standing")) return null;
  if (refused && refused.times >= REFUSED_MIN) {
    const { since_ms } = refused;
    return { kind: "server", title: words.server, hint: words.serverHint, since_ms, actions: [], weight: "card" };
  }
  return { kind: "buffering", title: words.buffering, hint: "", since_ms: null, actions: [], weight: "line" };
}

function outage(kind: "interrupted" | "paused", since_ms: number, situation: Situation, words: Words): Message {
  const isHere = situation.isAtLive && situation.picture !== "held";
  if (!isHere) {
    // Who watches the past only needs to know.
    const title = kind === "interrupted" ? words.liveInterrupted : words.livePaused;
    return { kind, title, hint: "", since_ms, actions: [], weight: "line" };
  }
  const [title, hint] =
    kind === "interrupted" ? [words.interrupted, words.interruptedHint] : [words.paused, words.pausedHint];
  // What is still to be shown is shown first.
  return { kind, title, hint, since_ms, actions: [], weight: situation.picture === "moving" ? "line" : "card" };
}

function over(kind: "ended" | "complete", situation: Situation, words: Words): Message | null {
  const { picture, isRecording, hasSource } = situation;
  if (!hasSource) {
    const more = { hint: words.endedHint, since_ms: null, actions: [], weight: "card" } as const;
    return { kind: "nothing-recorded", title: words.nothingRecorded, ...more };
  }
  if (picture !== "ended") return lacking(situation, words);
  const [title, hint] = kind === "ended" ? [words.ended, words.endedHint] : [words.complete, words.completeHint];
  const action = kind === "complete" && !isRecording ? "watch-recording" : "watch-from-start";
  return { kind, title, hint: isRecording ? "" : hint, since_ms: null, actions: [action], weight: "card" };
}

/** What stands over the offer. */
export function missedReason(missed: Missed, words: Words): string {
  return missed.kind === "late" ? words.missedArrived : words.missedAway;
}
