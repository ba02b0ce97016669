/**
 * Which bit rate the next segment should have. Pure.
 *
 * The link decides while there is one. In an outage nothing is changed: what is recorded now is the recording, and will
 * be sent when there is time.
 */

export interface Limits {
  min: number;
  max: number;
}

/** What was seen since the last decision. */
export interface Observed {
  /** What the link has carried lately; `null` while that is not known, or nobody can be reached. */
  bitsPerSecond: number | null;
  /** How much of what is recorded has not arrived. */
  waiting_ms: number;
  /** Of the pictures that came from the camera, the part that was not encoded, from 0 to 1. */
  dropped: number;
  /** How the machine feels: https://w3c.github.io/compute-pressure/ */
  pressure: "nominal" | "fair" | "serious" | "critical";
}

/** Sound, and what containers and retries take. */
const OVERHEAD = 1.15;
/** The part of the link that live may take: the rest is for what is missing. */
const SHARE = 0.75;
/** More waiting than this means that the link does not carry what is recorded. */
const BEHIND_MS = 4_000;
/** What is this dropped cannot be encoded in time. */
const DROPPED_MAX = 0.1;
/** However hot it is, this part of the most is taken. */
const COOL = 0.4;
const UP = 1.12;
const DOWN = 0.8;
/** A change smaller than this is not worth it. */
const WORTH = 0.1;

/** The bit rate of the pictures of the next segment, in bits per second. */
export function nextBitrate(current: number, observed: Observed, limits: Limits): number {
  const wanted = Math.min(byLink(current, observed), byHeat(current, observed, limits));
  const within = Math.round(Math.min(Math.max(wanted, limits.min), limits.max));
  const isWorthIt = Math.abs(within - current) >= current * WORTH || within === limits.min || within === limits.max;
  return isWorthIt ? within : current;
}

function byLink(current: number, { bitsPerSecond, waiting_ms }: Observed): number {
  if (bitsPerSecond === null) return current;
  const carried = (bitsPerSecond * SHARE) / OVERHEAD;
  if (waiting_ms > BEHIND_MS) return Math.min(current, Math.max(carried, current * 0.5));
  return carried > current ? Math.min(carried, current * UP) : current;
}

function byHeat(current: number, { dropped, pressure }: Observed, { max }: Limits): number {
  // Below this a picture is worse, and hardly cheaper.
  const least = Math.min(current, max * COOL);
  if (pressure === "critical") return Math.max(current * 0.6, least);
  if (pressure === "serious" || dropped > DROPPED_MAX) return Math.max(current * DOWN, least);
  return pressure === "fair" ? current : Infinity;
}

/** What pictures of this size may take. */
export function limitsFor(width: number, height: number, framesPerSecond: number): Limits {
  const pixels = width * height * Math.min(Math.max(framesPerSecond, 10), 60);
  return { min: 150_000, max: Math.round(Math.min(Math.max(pixels * 0.1, 400_000), 8_000_000)) };
}
