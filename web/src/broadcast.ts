/**
 * What a broadcast is, as the API gives it. Pure: no page, no network, no clock.
 */

/** The states of a broadcast, with the same names as in the server. */
export const STATES = ["created", "live", "interrupted", "paused", "ended", "complete"] as const;
export type State = (typeof STATES)[number];

/** A broadcast in a list. Times are in ms since the Unix epoch. */
export interface Broadcast {
  id: string;
  title: string;
  state: State;
  created_at: number;
  /** How much was recorded and has arrived, in seconds. */
  duration_s: number;
  renditions: string[];
  /** How many segments are known to be missing. */
  missing: number;
  /** How many watch; null where nobody knows. */
  viewers: number | null;
}

/** All that is known of a broadcast. */
export interface Details extends Broadcast {
  /** Since when it is interrupted or paused, in capture time. */
  since: number | null;
  /** Until when what its publisher may still have is waited for, since its owner has ended it. */
  open_until: number | null;
  /** From when until when it was recorded, in capture time. */
  recorded: [number, number] | null;
  details: Record<string, Rendition>;
}

export interface Rendition {
  codecs: string | null;
  resolution: string | null;
  segments: number;
  bytes: number;
  average_bits_per_s: number;
  /** Capture time for which nothing has come; null where it is open. */
  missing_between: [number | null, number | null][];
}

/** Whether nothing new will be captured. */
export function isOver(state: State): boolean {
  return state === "ended" || state === "complete";
}

/** Whether its newest picture changes. */
export function isMoving(state: State): boolean {
  return !isOver(state);
}
