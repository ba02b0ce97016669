/**
 * The timeline: which stretches of a playlist are media, which are missing, why, and what came late. Pure.
 */
import { type Entry, type Reading, length_s } from "./reading";

export type StretchKind =
  | "media"
  /** Missing, and perhaps still on its way. */
  | "missing"
  | "paused"
  /** Missing here, and to be seen under catch-up. */
  | "late";

export interface Stretch {
  kind: StretchKind;
  from_s: number;
  to_s: number;
  from_ms: number;
  to_ms: number;
  /** Of what is late: where catch-up begins. */
  catchupFrom: number | null;
}

/** The stretches of a playlist, in order, tiling it. */
export function stretches(reading: Reading): Stretch[] {
  const made: Stretch[] = [];
  for (const entry of reading.entries) {
    const { kind, catchupFrom } = entry.isGap ? gapKind(entry, reading) : MEDIA;
    const last = made.at(-1);
    const [to_s, to_ms] = [entry.from_s + entry.duration_s, entry.at_ms + entry.duration_s * 1000];
    if (last && last.kind === kind && last.catchupFrom === catchupFrom) {
      last.to_s = to_s;
      last.to_ms = to_ms;
    } else {
      made.push({ kind, from_s: entry.from_s, to_s, from_ms: entry.at_ms, to_ms, catchupFrom });
    }
  }
  return made;
}

const MEDIA = { kind: "media" as const, catchupFrom: null };

function gapKind(entry: Entry, { ranges }: Reading): { kind: StretchKind; catchupFrom: number | null } {
  const middle_ms = entry.at_ms + entry.duration_s * 500;
  const of = ranges.filter((range) => range.start_ms <= middle_ms && middle_ms <= (range.end_ms ?? Infinity));
  // While it is paused nothing is recorded: what came late lies before or after that.
  if (of.some(({ kind }) => kind === "paused")) return { kind: "paused", catchupFrom: null };
  const late = of.find((range) => range.kind === "recovered");
  return late?.kind === "recovered" ? { kind: "late", catchupFrom: late.from } : { kind: "missing", catchupFrom: null };
}

/** The entry at a position, in seconds from the first; null beyond the end. */
export function entryAt({ entries }: Reading, position_s: number): Entry | null {
  const index = lastBefore(entries, (entry) => entry.from_s <= position_s);
  const entry = entries[index];
  return entry && position_s < entry.from_s + entry.duration_s ? entry : null;
}

/** When what is at a position was captured. */
export function momentOf(reading: Reading, position_s: number): number | null {
  const { entries } = reading;
  const entry = entries[Math.max(0, lastBefore(entries, ({ from_s }) => from_s <= position_s))];
  return entry ? entry.at_ms + (position_s - entry.from_s) * 1000 : null;
}

/** Where what was captured at a moment is, or the next media after it; never beyond the end. */
export function positionOf(reading: Reading, at_ms: number): number {
  const { entries } = reading;
  const index = Math.max(0, lastBefore(entries, (entry) => entry.at_ms <= at_ms));
  const entry = entries[index];
  if (!entry) return 0;
  const offset_s = Math.max(0, (at_ms - entry.at_ms) / 1000);
  return Math.min(entry.from_s + Math.min(offset_s, entry.duration_s), length_s(reading));
}

/** The first media at or after a position: where a picture that stands in a gap can go on. */
export function mediaFrom(reading: Reading, position_s: number): number | null {
  const { entries } = reading;
  const start = Math.max(0, lastBefore(entries, ({ from_s }) => from_s <= position_s));
  const next = entries.slice(start).find((entry) => !entry.isGap && entry.from_s + entry.duration_s > position_s);
  return next ? Math.max(next.from_s, position_s) : null;
}

/** Media that may be missing at the end: the frames of a segment are a little shorter than what is said of it. */
const END_S = 0.5;

/** Whether a position is behind all media, of a playlist to which nothing will be added: what is left are gaps. */
export function isThrough(reading: Reading, position_s: number): boolean {
  const hasMedia = reading.entries.some(({ isGap }) => !isGap);
  return reading.isEnded && hasMedia && mediaBetween_s(reading, position_s, length_s(reading)) <= END_S;
}

/** How much media there is between two positions, in seconds. */
export function mediaBetween_s({ entries }: Reading, from_s: number, to_s: number): number {
  let sum_s = 0;
  for (const entry of entries) {
    const within_s = Math.min(to_s, entry.from_s + entry.duration_s) - Math.max(from_s, entry.from_s);
    if (!entry.isGap) sum_s += Math.max(0, within_s);
  }
  return sum_s;
}

/** The index of the last entry for which `holds`, which holds up to some entry and not after; -1 if for none. */
function lastBefore(entries: readonly Entry[], holds: (entry: Entry) => boolean): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = entries[middle];
    if (entry && holds(entry)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
