/**
 * What the page and its keeper say to each other. The keeper is a worker: it has the spools and the uplinks, and goes on
 * while the page is busy.
 */
import type { Container } from "../spool/names";
import type { SegmentReport, UplinkStatus } from "../uplink/status";
import type { Answer } from "./claims";

/** A broadcast, and what lets us publish to it. */
export interface Address {
  id: string;
  /** `https://host:port` */
  server: string;
  token: string;
  title: string;
}

/** A segment as it comes from the encoders. */
export interface Footage {
  bytes: Uint8Array<ArrayBuffer>;
  /** By the clock that dates segments here: see `runningTime_ms`. */
  captured_ms: number;
  /** How far the device's clock was ahead of that one then: see `deviceAhead_ms`. */
  ahead_ms: number;
  duration_ms: number;
  container: Container;
  init: Uint8Array<ArrayBuffer> | null;
}

export type ToKeeper =
  /** Make a spool, or open it. */
  | { kind: "adopt"; address: Address }
  /** Somebody has a link to this broadcast: if anything of it is here, it may be sent with that. */
  | { kind: "know"; address: Address }
  | { kind: "keep"; id: string; footage: Footage }
  | { kind: "mark"; id: string; mark: "paused" | "ended"; on: boolean }
  | { kind: "report"; id: string }
  /** Give what is still here, as files. */
  | { kind: "save"; id: string }
  /** Delete it from this device, sent or not. */
  | { kind: "discard"; id: string }
  /** Ask the tab that has it for it. */
  | { kind: "take-over"; id: string }
  /** Another tab asked for it: it gets it, or is told what is done instead. */
  | { kind: "hand-over"; id: string }
  | { kind: "answer"; id: string; answer: Answer }
  /** The network is said to be back. */
  | { kind: "online" };

export type FromKeeper =
  | { kind: "adopted"; id: string; why: NotAdopted | null }
  /** What was recorded is durable. */
  | { kind: "kept"; id: string; seq: number; bytes: number }
  /** What was recorded is gone. */
  | { kind: "lost"; id: string; why: WhyLost }
  /** Another tab asks for it. */
  | { kind: "wanted"; id: string }
  /** All of it is written, and another tab may have it; or this one does not have it. */
  | { kind: "handed-over"; id: string; isGiven: boolean }
  | { kind: "status"; status: KeeperStatus }
  | { kind: "report"; id: string; segments: SegmentReport[] }
  | { kind: "saved"; id: string; name: string; file: Blob }
  /** So many segments are in none of the files. */
  | { kind: "left-out"; id: string; segments: number }
  /** There is no file. */
  | { kind: "not-saved"; id: string };

export type WhyLost =
  /** There is no room for it, nor in memory. */
  | { kind: "no-room" }
  | { kind: "failed" };

export type NotAdopted =
  /** Another tab of this browser has it. */
  | { kind: "held" }
  /** It cannot be opened. */
  | { kind: "unreadable" }
  /** The keeper itself does not work. */
  | { kind: "dead" };

export interface KeeperStatus {
  spools: UplinkStatus[];
  /** Spools that another tab works on. */
  held: Elsewhere[];
  /** Spools that cannot be opened. */
  unreadable: string[];
  storage: StorageStatus;
}

/** A spool that another tab works on. */
export interface Elsewhere {
  id: string;
  /** Empty as long as it is not known. */
  title: string;
  state: WhereElse;
}

export type WhereElse =
  | "there"
  /** That tab has taken it over from this one. */
  | "taken-over"
  /** This tab has asked for it, and gets it as soon as all is written there. */
  | "asking"
  /** The other tab cannot write at the moment what was recorded there. */
  | "held-up"
  /** It is recorded to, and the person there is asked. */
  | "recording"
  /** The person there has said no. */
  | "kept"
  /** No other tab answers. */
  | "silent";

export interface StorageStatus {
  used: number;
  quota: number;
  /** Footage that is in memory only, since it cannot be written. */
  waiting: number;
  /** `failing`: there would be room, and what is written fails. */
  state: "roomy" | "low" | "full" | "failing";
}
