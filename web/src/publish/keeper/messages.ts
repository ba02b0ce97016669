/**
 * What the page and its keeper say to each other. The keeper is a worker: it has the spools and the uplinks, and goes on
 * while the page is busy.
 */
import type { Container } from "../spool/names";
import type { SegmentReport, UplinkStatus } from "../uplink/status";

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
  duration_ms: number;
  container: Container;
  init: Uint8Array<ArrayBuffer> | null;
}

export type ToKeeper =
  /** Make a spool, or open it. */
  | { kind: "adopt"; address: Address }
  | { kind: "keep"; id: string; footage: Footage }
  | { kind: "mark"; id: string; mark: "paused" | "ended"; on: boolean }
  | { kind: "report"; id: string }
  /** Give what is still here, as one file. */
  | { kind: "save"; id: string }
  /** The network is said to be back. */
  | { kind: "online" };

export type FromKeeper =
  | { kind: "adopted"; id: string; why: NotAdopted | null }
  /** What was recorded is durable. */
  | { kind: "kept"; id: string; seq: number; bytes: number }
  /** What was recorded is gone: there is no room for it, nor in memory. */
  | { kind: "lost"; id: string; why: string }
  | { kind: "status"; status: KeeperStatus }
  | { kind: "report"; id: string; segments: SegmentReport[] }
  | { kind: "saved"; id: string; name: string; file: Blob };

export type NotAdopted =
  /** Another tab of this browser has it. */
  | { kind: "held" }
  | { kind: "failed"; detail: string };

export interface KeeperStatus {
  spools: UplinkStatus[];
  /** Spools that another tab works on. */
  held: string[];
  storage: StorageStatus;
}

export interface StorageStatus {
  used: number;
  quota: number;
  /** Footage that is in memory only, since there is no room on the disk. */
  waiting: number;
  state: "roomy" | "low" | "full";
}
