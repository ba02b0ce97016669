/**
 * Messages between an embedded player and the site around it, version 1. Documented for sites in docs/embedding.md.
 * Pure: what may be said, and to whom.
 */
import type { PlayerState } from "../player";

/** Every message of this protocol has `headwater: 1`. */
export const VERSION = 1;

/** What a site can say. */
export type Command =
  | { command: "play" | "pause" | "mute" | "unmute" | "jumpToLive" | "watchMissed" }
  /** In seconds from the beginning of what is played. */
  | { command: "seek"; position_s: number };

/** What a player says. */
export type Event =
  | { event: "ready"; versions: readonly number[] }
  /** With every change of the standing, the view, or what is offered. */
  | { event: "state"; state: PlayerState }
  /** While it plays, about once a second. */
  | { event: "time"; position_s: number; duration_s: number | null; behind_s: number | null; moment_ms: number | null }
  | { event: "ended" }
  /** The height that the player wants at the width of its frame, in CSS pixels. */
  | { event: "height"; height: number };

/** The command in a message; null if it is none of ours. */
export function readCommand(data: unknown): Command | null {
  if (typeof data !== "object" || data === null) return null;
  const { headwater, command, position_s } = data as Record<string, unknown>;
  if (headwater !== VERSION || typeof command !== "string") return null;
  if (command === "seek") {
    return typeof position_s === "number" && Number.isFinite(position_s) ? { command, position_s } : null;
  }
  const plain = PLAIN.find((name) => name === command);
  return plain ? { command: plain } : null;
}

const PLAIN = ["play", "pause", "mute", "unmute", "jumpToLive", "watchMissed"] as const;

/**
 * Whom the player listens and speaks to: the origin that the frame's address names (`?origin=https://…`), else the one
 * that the browser says the frame is in. Null if neither is known: then only `ready` and `height` are said, which hold
 * nothing that is not for everybody, and nobody is listened to.
 */
export function siteOrigin(search: string, ancestor: string | undefined, referrer: string): string | null {
  for (const text of [new URLSearchParams(search).get("origin"), ancestor, referrer]) {
    const origin = originOf(text);
    if (origin) return origin;
  }
  return null;
}

function originOf(text: string | null | undefined): string | null {
  try {
    const { protocol, origin } = new URL(text ?? "");
    return protocol === "https:" || protocol === "http:" ? origin : null;
  } catch {
    return null;
  }
}

/** What makes a state worth telling anew. */
export function stateKey({ standing, view, following, isPlaying, hasEnded, isMuted, missed_s }: PlayerState): string {
  return [standing, view, following, isPlaying, hasEnded, isMuted, missed_s].join();
}

/** The size of a picture; nothing of it is known while it is 0. */
export interface Shape {
  videoWidth: number;
  videoHeight: number;
}

/** The height that shows the whole picture at this width; 16:9 until its shape is known. */
export function heightAt(width: number, { videoWidth, videoHeight }: Shape): number {
  const ratio = videoWidth > 0 && videoHeight > 0 ? videoHeight / videoWidth : 9 / 16;
  return Math.round(width * ratio);
}
