/**
 * What plays a playlist in a video element, behind one small interface: hls.js where it runs, the browser's own HLS
 * elsewhere, Shaka where a site wants it.
 *
 * An engine knows nothing of broadcasts. It plays one address until it is destroyed, and goes on trying for ever:
 * giving up is for viewers.
 */
import type { Reading } from "./reading";
import type { Failure, SegmentOutcome } from "./standing";

export type EngineName = "hls.js" | "native" | "shaka";

export interface Quality {
  id: number;
  /** In pixels; 0 where there is no picture. */
  height: number;
  bits_per_s: number;
}

/** Something that went wrong; only a fatal one stopped the picture. Kept for tests and reports of defects. */
export interface EngineError {
  details: string;
  fatal: boolean;
}

/** What an engine is given. */
export interface EngineTask {
  video: HTMLVideoElement;
  /** A Multivariant Playlist. */
  url: string;
  /** Where to start, in seconds from the first entry; null for where a playlist that is live starts. */
  start_s: number | null;
  /** Whether sound or captions have playlists of their own. */
  hasMedia: boolean;
  on: EngineListener;
}

export interface EngineListener {
  /** The text of a Media Playlist that was just loaded, and the Date of the answer. */
  playlist(text: string, date: string | null): void;
  /** Which qualities there are has become known. */
  qualities(): void;
  /** An answer that was not to be had, or not to be used. The engine tries again. */
  failure(failure: Failure): void;
  /** The server has answered for a segment. Not every engine can tell. */
  segment(outcome: SegmentOutcome): void;
  /** Perhaps the server is not there, or the broadcast is gone: asks for it. Gives whether there is something to play. */
  doubt(): Promise<boolean>;
  /** This can never be played here. */
  unplayable(): void;
  error(error: EngineError): void;
}

export interface Engine {
  readonly name: EngineName;
  /** Whether it calls `playlist`; else somebody has to ask in its place. */
  readonly tellsPlaylists: boolean;
  /** While its playlist grows it can neither seek nor play at another rate: Chromium's own HLS. */
  readonly staysAtLive: boolean;
  /** Where the first entry of a reading lies in the video's time, as seen from a position in the video. */
  offset_s(reading: Reading, position_s: number): number;
  readonly qualities: readonly Quality[];
  /** The one that was chosen; null when the engine chooses. */
  readonly quality: number | null;
  choose(quality: number | null): void;
  /** Tries again at once. */
  retry(): void;
  /** The broadcast goes on at other addresses. For an engine that does not tell playlists, and does not find out. */
  moveOn?(): void;
  destroy(): void;
}

/** Which engine was asked for. */
export type EngineChoice = "auto" | EngineName;

/** Starts the engine that was asked for, or one that can play. Rejects only if its code cannot be loaded. */
export async function startEngine(choice: EngineChoice, task: EngineTask, shaka: unknown): Promise<Engine> {
  if (choice === "shaka") return (await import("./engine/shaka")).ShakaEngine.start(task, shaka);
  const canUseMse = "MediaSource" in globalThis || "ManagedMediaSource" in globalThis;
  if (choice === "native" || !canUseMse) return (await import("./engine/native")).NativeEngine.start(task);
  const started = await (await import("./engine/hls-js")).HlsEngine.start(task);
  return started ?? (await import("./engine/native")).NativeEngine.start(task);
}
