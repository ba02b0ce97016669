/**
 * What the page shows, as data: where the publisher is, and what is true at this moment. Pure.
 */
import type { Elsewhere, KeeperStatus, StorageStatus, WhereElse } from "./keeper/messages";
import type { UplinkStatus } from "./uplink/status";

/** Why nothing can be recorded here. */
export type Missing =
  /** Browsers give cameras to https and to this machine only. */
  | "secure-context"
  | "camera"
  | "encoder"
  | "storage";

/** Why there is no camera, or no microphone. */
export type WhyNone = "denied" | "none" | "busy";

/** Where the publisher is. */
export type Stage =
  | { kind: "unsupported"; missing: Missing }
  /** The browser asks whether the camera may be used. */
  | { kind: "asking" }
  | { kind: "no-camera"; why: WhyNone }
  | { kind: "ready" }
  | { kind: "starting"; id: string | null }
  | { kind: "recording"; id: string; since_ms: number }
  | { kind: "paused"; id: string }
  | { kind: "ending"; id: string }
  /** Another tab gets it, once all is written. */
  | { kind: "giving"; id: string }
  | { kind: "done"; id: string };

/** What a press of the red button would record to. */
export type Target =
  | { kind: "link"; id: string; title: string }
  | { kind: "own" }
  /** There is neither a link nor an owner key. */
  | { kind: "none" };

export interface Model {
  stage: Stage;
  /** Broadcasts that were ended here, whether their spools say so already or not. */
  ended: readonly string[];
  target: Target;
  keeper: KeeperStatus | null;
  /** A broadcast that is at work here, and that another tab asks for. */
  wanted: string | null;
  /** What went wrong last. */
  problem: Problem | null;
  bitrate: number | null;
  /** From 0 to 1. */
  level: number;
  isMuted: boolean;
  hasMicrophone: boolean;
  cameras: number;
  battery: { level: number; charging: boolean } | null;
  isAwake: boolean;
  /** Whether the camera gives no pictures, though it should. */
  isBlind: boolean;
  /** Whether the microphone gives no sound, though it should. */
  isDeaf: boolean;
  /** Whether the browser may delete what is stored when the device runs short of room. */
  isEvictable: boolean;
  /** How much was recorded since the start. */
  recorded_ms: number;
  size: { width: number; height: number } | null;
  /** By the clock that dates segments. */
  now_ms: number;
}

export type Problem =
  | { kind: "refused" }
  | { kind: "unreachable" }
  | { kind: "held" }
  /** Another tab has taken over what was at work here. */
  | { kind: "taken-over"; id: string }
  /** The tab that asked for what is at work here is gone. */
  | { kind: "asker-gone" }
  /** Footage is gone: there was no room for it, or it could not be saved. */
  | { kind: "no-room" | "lost" }
  | { kind: "encoder" }
  /** Another one was chosen, and cannot be had. */
  | { kind: "camera" | "microphone"; why: WhyNone }
  /** The server answers something else than it should. */
  | { kind: "server"; status: number }
  /** What is on this device cannot be opened. */
  | { kind: "storage" }
  /** Some of it is not in the file, or there is none. */
  | { kind: "left-out"; segments: number }
  | { kind: "not-saved" }
  /** What saves and sends has broken. */
  | { kind: "keeper" }
  /** The server was updated, and has the code no more that this page needs. */
  | { kind: "renewed" }
  | { kind: "other" };

/** How things stand, in one line. */
export type Headline =
  | { kind: "ready" | "starting" | "ended-there" | "not-accepted" | "no-broadcast" }
  /** Recording, and nobody has heard of it yet. */
  | { kind: "connecting"; waiting_s: number }
  | { kind: "live"; behind_s: number }
  | { kind: "later"; waiting_s: number }
  | { kind: "paused"; waiting_s: number }
  /** `isTold`: whether the server knows of the end. */
  | { kind: "sending"; waiting_s: number; isReachable: boolean; isTold: boolean; byOwner: boolean }
  /** Ended, and the rest cannot be read here now. */
  | { kind: "reading-again"; segments: number; refused: number; damaged: number }
  | { kind: "done"; byOwner: boolean }
  /** Ended, and some of it will never be taken there, or is damaged here. */
  | { kind: "kept-here"; refused: number; damaged: number }
  | { kind: "saving" };

/** What has arrived last may be so old, and it is still live: two segments, and what they take on the way. */
const LIVE_AGE_MAX_MS = 8_000;

export function spoolOf(model: Pick<Model, "stage" | "keeper">): UplinkStatus | null {
  const { stage, keeper } = model;
  const id = "id" in stage ? stage.id : null;
  return keeper?.spools.find((spool) => spool.id === id) ?? null;
}

export function headline(model: Pick<Model, "stage" | "keeper" | "now_ms">): Headline {
  const spool = spoolOf(model);
  switch (model.stage.kind) {
    case "recording":
      return spool ? whileRecording(spool, model.now_ms) : { kind: "starting" };
    case "paused":
      return { kind: "paused", waiting_s: seconds(spool) };
    case "ending":
      return whileEnding(spool);
    case "done":
      return { kind: "done", byOwner: spool?.endedByOwner ?? false };
    case "giving":
      return { kind: "saving" };
    case "starting":
      return { kind: "starting" };
    default:
      return { kind: "ready" };
  }
}

function whileRecording(spool: UplinkStatus, now_ms: number): Headline {
  if (spool.trouble?.kind === "unauthorized") return { kind: "not-accepted" };
  if (spool.trouble?.kind === "no-broadcast") return { kind: "no-broadcast" };
  if (spool.endedThere) return { kind: "ended-there" };
  const waiting_s = seconds(spool);
  const { newestArrived_ms, latency_ms } = spool;
  if (spool.trouble === null && newestArrived_ms === null) return { kind: "connecting", waiting_s };
  const isRecent = newestArrived_ms !== null && now_ms - newestArrived_ms < LIVE_AGE_MAX_MS;
  if (spool.trouble === null && isRecent && latency_ms !== null) return { kind: "live", behind_s: latency_ms / 1000 };
  return { kind: "later", waiting_s };
}

function whileEnding(spool: UplinkStatus | null): Headline {
  if (spool === null) return { kind: "saving" };
  if (spool.trouble?.kind === "unauthorized") return { kind: "not-accepted" };
  if (spool.trouble?.kind === "no-broadcast") return { kind: "no-broadcast" };
  const { refused, damaged, unreadable } = spool;
  const waiting_s = seconds(spool);
  if (waiting_s === 0 && unreadable > 0) return { kind: "reading-again", segments: unreadable, refused, damaged };
  if (staysHere(spool)) {
    if (spool.isRefusedByEnd) return { kind: "ended-there" };
    return { kind: "kept-here", refused, damaged };
  }
  const byOwner = spool.endedByOwner;
  return { kind: "sending", waiting_s, isReachable: spool.trouble === null, isTold: spool.endedThere || byOwner, byOwner };
}

/** Whether nothing more of it will arrive but what cannot be read now, though not all has. */
function staysHere({ refused, damaged, owed, unwritten_ms }: UplinkStatus): boolean {
  return refused + damaged > 0 && owed.segments === 0 && unwritten_ms === 0;
}

/** Whether something of it is still to arrive. What cannot be read now is tried again. */
function isWaiting({ owed, unwritten_ms, unreadable }: UplinkStatus): boolean {
  return owed.segments > 0 || unwritten_ms > 0 || unreadable > 0;
}

/** Whether nothing is missing there that is here. */
export function isAllSent(spool: UplinkStatus): boolean {
  return !isWaiting(spool) && spool.refused + spool.damaged === 0;
}

/** Whether it was ended here, and viewers do not know it yet. */
function isEndUntold(spool: UplinkStatus): boolean {
  return spool.said === "ended" && !spool.endedThere && !isTurnedAway(spool);
}

function seconds(spool: UplinkStatus | null): number {
  return spool === null ? 0 : (spool.owed.duration_ms + spool.unwritten_ms) / 1000;
}

/** How the line is to look. */
export type Tone = "calm" | "live" | "waiting" | "bad" | "good";

export function toneOf(headline: Headline): Tone {
  switch (headline.kind) {
    case "live":
      return "live";
    case "later":
    case "sending":
    case "reading-again":
    case "paused":
      return "waiting";
    case "not-accepted":
    case "no-broadcast":
    case "ended-there":
    case "kept-here":
      return "bad";
    case "done":
      return "good";
    default:
      return "calm";
  }
}

/** What earlier visits left, and what becomes of it. */
export type Left =
  /** It was never ended: it can go on. */
  | { kind: "interrupted"; spool: UplinkStatus }
  | { kind: "sending"; spool: UplinkStatus }
  /** Nothing more of it is taken. */
  | { kind: "stuck"; spool: UplinkStatus }
  | { kind: "sent"; spool: UplinkStatus }
  /** Another tab has it. */
  | ({ kind: "held" } & Elsewhere)
  /** It cannot be opened. */
  | { kind: "unreadable"; id: string };

/** All spools but the one that is recorded to. */
export function leftOver(model: Pick<Model, "stage" | "keeper">): Left[] {
  const at = "id" in model.stage ? model.stage.id : null;
  const spools = model.keeper?.spools.filter((spool) => spool.id !== at) ?? [];
  const held = model.keeper?.held.map((elsewhere): Left => ({ kind: "held", ...elsewhere })) ?? [];
  const unreadable = model.keeper?.unreadable.map((id): Left => ({ kind: "unreadable", id })) ?? [];
  return [...spools.map(stateOf), ...held, ...unreadable];
}

function stateOf(spool: UplinkStatus): Left {
  const kind = spool.isDone
    ? "sent"
    : staysHere(spool) || isTurnedAway(spool)
      ? "stuck"
      : spool.said === "ended"
        ? "sending"
        : "interrupted";
  return { kind, spool };
}

/** Whether nothing of it is taken there. */
function isTurnedAway({ trouble }: UplinkStatus): boolean {
  return trouble?.kind === "unauthorized" || trouble?.kind === "no-broadcast";
}

/** What can be done with what is left. */
export type Choice = "take-over" | "go-on" | "finish" | "save" | "delete" | "watch";

/** Once is enough, until there is an answer. */
const ASKED: readonly WhereElse[] = ["asking", "held-up", "recording"];

/** In the order in which they are offered. Nothing is offered to be deleted that will still be sent. */
export function choicesFor(left: Left): Choice[] {
  if (left.kind === "held") return ASKED.includes(left.state) ? [] : ["take-over"];
  if (left.kind === "unreadable") return ["delete"];
  const { spool } = left;
  const mayGoOn = spool.said !== "ended" && !isTurnedAway(spool);
  // One that was ended elsewhere cannot go on.
  const going: Choice[] = mayGoOn ? (spool.endedThere ? ["finish"] : ["go-on", "finish"]) : [];
  if (left.kind === "interrupted") return going;
  if (left.kind === "stuck") return spool.unreadable > 0 ? [...going, "save"] : [...going, "save", "delete"];
  return left.kind === "sent" ? ["watch"] : [];
}

/** Whether something would be left behind if the page were closed now. */
export function isUnsent(model: Pick<Model, "stage" | "keeper" | "ended">): boolean {
  const { stage, keeper, ended } = model;
  if (stage.kind === "recording" || stage.kind === "starting" || stage.kind === "giving") return true;
  // The spool hears of it after the last moments, which are not in it before.
  const says = (id: string, said: UplinkStatus["said"]) => keeper?.spools.some((spool) => spool.id === id && spool.said === said) ?? false;
  if (stage.kind === "paused" && !says(stage.id, "paused")) return true;
  if (!ended.every((id) => says(id, "ended"))) return true;
  return keeper?.spools.some((spool) => !spool.isDone && (isWaiting(spool) || isEndUntold(spool))) ?? false;
}

/** So much that waits is worth a warning. */
const AT_RISK_MIN_MS = 30_000;

/** Whether the browser may delete what is nowhere else. */
export function isAtRisk({ isEvictable, keeper }: Pick<Model, "isEvictable" | "keeper">): boolean {
  const owed_ms = keeper?.spools.reduce((sum, spool) => sum + (spool.isDone ? 0 : spool.owed.duration_ms), 0) ?? 0;
  return isEvictable && owed_ms >= AT_RISK_MIN_MS;
}

/** For how long one can go on recording at this bit rate; `null` while there is plenty. */
export function roomLeft_s(storage: StorageStatus, bitsPerSecond: number): number | null {
  const left_s = roomFor_s(storage, bitsPerSecond);
  return left_s < 3 * 3600 ? left_s : null;
}

/** The same, however much there is. */
export function roomFor_s(storage: StorageStatus, bitsPerSecond: number): number {
  const room = Math.max(0, storage.quota - storage.used);
  return (room * 8) / Math.max(bitsPerSecond, 1);
}
