/**
 * How the player gets back to live: how far behind it is, how fast it plays, and when it is live again. Pure.
 */
import { type Reading, length_s } from "./reading";
import { mediaBetween_s } from "./timeline";

/** A player that joins live starts this many target durations before the end (RFC 8216bis, 6.3.3). */
const HOLD_BACK_TARGETS = 3;
/** As near as this to where a player that joins would be, it is live. */
const REJOINED_S = 0.5;
/** From here on it is worth saying that the picture is behind, and doing something about it. */
const BEHIND_S_MIN = 6;
/** After the viewer's own outage: less is not worth a thing, what is longer is made up for by itself, and what is
 * longer still is offered. */
const MADE_UP_S_MIN = 1.5;
const MADE_UP_S_MAX = 60;

/** How the viewer follows the broadcast. */
export type Following =
  /** At live; what little is lost is not made up for. */
  | { kind: "live" }
  /** Behind, and a little faster until live is reached. */
  | { kind: "catching-up" }
  /** Where the viewer wanted to be: a rewind, a pause, a recording. */
  | { kind: "free" };

/** The position in a playlist that grows where live plays without waiting. */
export function liveEdge_s(reading: Reading): number {
  return Math.max(0, length_s(reading) - HOLD_BACK_TARGETS * reading.target_s);
}

/** When that was captured with which a player that joins now begins; null if there is nothing yet. */
export function joinedAt_ms({ entries }: Reading): number | null {
  return (entries.at(-HOLD_BACK_TARGETS) ?? entries[0])?.at_ms ?? null;
}

/**
 * How far a position is behind live, in seconds of media that are left to play; gaps are stepped over. `live` is what
 * live shows meanwhile: when `playing` waits at a hole and live goes on, the rest is counted there.
 */
export function behind_s(position_s: number, playing: Reading, live: Reading | null): number {
  let left_s = live ? beyond_s(playing, live) : 0;
  for (let index = playing.entries.length - 1; index >= 0; index--) {
    const entry = playing.entries[index];
    if (!entry || entry.from_s + entry.duration_s <= position_s) break;
    if (!entry.isGap) left_s += Math.min(entry.duration_s, entry.from_s + entry.duration_s - position_s);
  }
  return Math.max(0, left_s - HOLD_BACK_TARGETS * playing.target_s);
}

/** Media that live has and `playing` does not reach yet, in seconds. */
export function beyond_s(playing: Reading, live: Reading): number {
  const last = playing.entries.at(-1);
  if (!last) return 0;
  const end_ms = last.at_ms + last.duration_s * 1000;
  let sum_s = 0;
  for (let index = live.entries.length - 1; index >= 0; index--) {
    const entry = live.entries[index];
    // Two lists of the same segments differ by rounding; half a segment is a segment.
    if (!entry || entry.at_ms + entry.duration_s * 500 <= end_ms) break;
    if (!entry.isGap) sum_s += entry.duration_s;
  }
  return sum_s;
}

/** Whether a catch-up list waits at a hole while live has gone on: two segments are more than a difference in time. */
export function waitsAtHole(playing: Reading, live: Reading | null): boolean {
  return live !== null && beyond_s(playing, live) > 2 * playing.target_s;
}

/** Media that is left out all the same: two lists of the same segments differ by rounding. */
const LEFT_OUT_S_MAX = 0.5;

/** From a position to media that lies ready. */
export interface Step {
  from_s: number;
  by_s: number;
  /** Whether a source is to begin with it: nothing of it was played or sought yet. */
  isFirst: boolean;
}

/**
 * Whether a picture that stands may be moved. At live it may, since live goes on; but who wanted to be at a place waits for
 * what was recorded there, however slow the link is, and is moved over holes only. What a source begins with is loaded
 * before what follows it: when only that is there, the segment has less than the playlist says.
 */
export function mayStepOver(following: Following, playing: Reading, { from_s, by_s, isFirst }: Step): boolean {
  const most_s = isFirst ? playing.target_s : LEFT_OUT_S_MAX;
  return following.kind === "live" || mediaBetween_s(playing, from_s, from_s + by_s) <= most_s;
}

/** The rate to make up for `behind`: so little that voices stay voices, and more of it when there is much to do. */
export function catchUpRate(behind: number): number {
  if (behind > 10) return 1.25;
  return behind > 1 ? 1.2 : 1.1;
}

/** What follows from where the picture is. */
export function follow(before: Following, behind: number): Following {
  return before.kind === "catching-up" && behind <= REJOINED_S ? { kind: "live" } : before;
}

/** Whether it is behind: by more than the segment by which a playlist grows at a time. */
export function isBehind(behind: number, { target_s }: Reading): boolean {
  return behind > BEHIND_S_MIN + target_s;
}

/** After a seek by so much: who steps forward on the way back to live is still on that way. */
export function afterSeek(before: Following, by_s: number, isAtEdge: boolean): Following {
  if (isAtEdge) return { kind: "live" };
  return before.kind === "catching-up" && by_s > 0 ? before : { kind: "free" };
}

/** What to do when the viewer's network is back and the picture stands this far behind. */
export function afterAway(behind: number): "go-on" | "catch-up" | "offer" {
  if (behind <= MADE_UP_S_MIN) return "go-on";
  return behind <= MADE_UP_S_MAX ? "catch-up" : "offer";
}
