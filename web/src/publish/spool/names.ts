/**
 * What the files of a spool are called. A name says all that the uplink has to know of what is in the file, so that a
 * listing is the ledger. Pure.
 */

import type { Range } from "../uplink/seqs";
import type { ClockNote } from "../uplink/times";

export type Container = "ts" | "m4s";

/** A segment that was recorded. */
export interface SegmentFile {
  seq: number;
  /** When its first frame was captured, by our clock. */
  captured_ms: number;
  duration_ms: number;
  bytes: number;
  /** The first half of BLAKE3 of its bytes, in hexadecimal digits. */
  digest: string;
  container: Container;
  /** The digest of the init section that it needs. */
  init: string | null;
}

/** What a name says. */
export type FileName =
  | { kind: "segment"; segment: SegmentFile }
  /** It was safe, and has been deleted: only its name stays, so that the whole can still be compared. */
  | { kind: "gone"; segment: SegmentFile }
  | { kind: "init"; digest: string }
  | { kind: "about"; version: number }
  /** Numbers that somebody else has used: an empty file. */
  | { kind: "others"; range: Range }
  /** How far the recorders' clock is from ours, from some segment on: an empty file. */
  | { kind: "clock"; note: ClockNote };

const SEGMENT = /^(\d{8})-(\d{1,16})-(\d{1,9})-(\d{1,12})-([0-9a-f]{32})(?:-([0-9a-f]{32}))?\.(ts|m4s)(\.gone)?$/;
const INIT = /^init-([0-9a-f]{32})\.mp4$/;
const OTHERS = /^others-(\d{8})-(\d{8})$/;
/** Earlier versions wrote fractions, and nothing after `unknown`. */
const CLOCK = /^clock-(\d{8})-(?:unknown(?:-(-?\d{1,15}))?|(-?\d{1,15}(?:\.\d{1,20})?))$/;
const ABOUT = /^about-(\d{1,9})\.json$/;

export function segmentName(segment: SegmentFile): string {
  const { seq, captured_ms, duration_ms, bytes, digest, container, init } = segment;
  const tail = init === null ? digest : `${digest}-${init}`;
  return `${String(seq).padStart(8, "0")}-${Math.round(captured_ms)}-${Math.round(duration_ms)}-${bytes}-${tail}.${container}`;
}

export function goneName(segment: SegmentFile): string {
  return `${segmentName(segment)}.gone`;
}

export function initName(digest: string): string {
  return `init-${digest}.mp4`;
}

export function aboutName(version: number): string {
  return `about-${version}.json`;
}

export function othersName(range: Range): string {
  return `others-${range.map((seq) => String(seq).padStart(8, "0")).join("-")}`;
}

export function clockName({ from, offset_ms, ahead_ms }: ClockNote): string {
  const unknown = ahead_ms === undefined ? "unknown" : `unknown-${ahead_ms}`;
  return `clock-${String(from).padStart(8, "0")}-${offset_ms ?? unknown}`;
}

/** `null` for what is not ours. */
export function readName(name: string): FileName | null {
  const init = INIT.exec(name);
  if (init) return { kind: "init", digest: init[1]! };
  const about = ABOUT.exec(name);
  if (about) return { kind: "about", version: Number(about[1]) };
  const others = OTHERS.exec(name);
  if (others) return { kind: "others", range: [Number(others[1]), Number(others[2])] };
  const clock = CLOCK.exec(name);
  if (clock) return { kind: "clock", note: readNote(clock) };
  const found = SEGMENT.exec(name);
  if (!found) return null;
  const [, seq, captured_ms, duration_ms, bytes, digest, initDigest, container, gone] = found;
  const segment: SegmentFile = {
    seq: Number(seq),
    captured_ms: Number(captured_ms),
    duration_ms: Number(duration_ms),
    bytes: Number(bytes),
    digest: digest!,
    container: container as Container,
    init: initDigest ?? null,
  };
  return { kind: gone === undefined ? "segment" : "gone", segment };
}

function readNote([, from, ahead_ms, offset_ms]: RegExpExecArray): ClockNote {
  return {
    from: Number(from),
    offset_ms: offset_ms === undefined ? null : Math.round(Number(offset_ms)),
    ...(ahead_ms === undefined ? {} : { ahead_ms: Number(ahead_ms) }),
  };
}
