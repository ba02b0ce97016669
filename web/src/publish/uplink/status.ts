/**
 * How one spool stands, for the page to say. Pure.
 */
import type { FailureKind } from "./failure";
import type { Range } from "./seqs";

/** Why nobody can be reached, or nothing can be sent. */
export interface Trouble {
  kind: FailureKind;
  detail: string;
}

export interface UplinkStatus {
  id: string;
  title: string;
  /** What the publisher has said. */
  said: "recording" | "paused" | "ended";
  /** Whether the broadcast has ended there, whoever said so: nothing more of it is taken. */
  endedThere: boolean;
  /** Whether its owner has ended it before we did: what was recorded until this was heard is taken. */
  endedByOwner: boolean;
  /** Whether a recorder has ever told how things are there, in this run. */
  isKnown: boolean;
  /** The recorder that answered last; `null` while nobody can be reached. */
  recorder: string | null;
  trouble: Trouble | null;
  /** From the capture of the first picture of the newest live segment that has arrived to its acknowledgement. */
  latency_ms: number | null;
  /** When the capture of the newest segment that has arrived ended, by our clock; `null` before the first in this run. */
  newestArrived_ms: number | null;
  /** All that was recorded here. */
  recorded: { segments: number; bytes: number };
  /** What is recorded and has not arrived. */
  owed: { segments: number; duration_ms: number; bytes: number };
  /** What is recorded and cannot be written: it is in memory only. */
  unwritten_ms: number;
  /** What is owed and too old to be live. */
  missing_ms: number;
  owedRanges: Range[];
  /** What has arrived, and is not safe there yet. */
  notSafe: number;
  /** What a recorder will never take. */
  refused: number;
  /** Whether that is because the broadcast has ended without it. */
  isRefusedByEnd: boolean;
  /** What of it cannot be read on this device now: it is tried again. */
  unreadable: number;
  /** What of it is not what was written any more, or is not there: it will never arrive. */
  damaged: number;
  /** What was torn or lost in the spool. */
  lost: number;
  /** What of it is on this device. */
  keptBytes: number;
  bitsPerSecond: number | null;
  /** The number of the next segment. */
  next: number;
  /** Whether all that was recorded is safe, and the broadcast has ended. */
  isDone: boolean;
}

/** What became of each segment, for whoever compares. */
export interface SegmentReport {
  seq: number;
  digest: string;
  bytes: number;
  standing: string;
}
