/**
 * What a site can ask of a player.
 */
import type { Language } from "../language";
import type { EngineChoice } from "./engine";

export interface PlayerOptions {
  /** The address of a broadcast's Multivariant Playlist: `https://…/hls/{id}/index.m3u8`. May be relative. */
  source: string;
  /** The language of buttons and messages; else the first of the viewer's languages that there is, else English. */
  language?: Language;
  /** `auto`: hls.js, and the browser's own HLS where that cannot run. */
  engine?: EngineChoice;
  /** Shaka's module, for a site that has loaded it anyway; else it is imported when `engine` is `shaka`. */
  shaka?: unknown;
  /** Whether to begin by itself; without sound where the browser asks for that. True unless given. */
  autoplay?: boolean;
  /** Whether to begin without sound. */
  muted?: boolean;
  /** `dvr` (unless given): the viewer can go back to the beginning. `live`: what has passed is gone. */
  view?: "dvr" | "live";
  /** The moment to begin at, in ms since the Unix epoch: when it was captured. */
  at_ms?: number | null;
  /** The page that a shared link leads to; none, and nothing is shared. */
  shareUrl?: string;
  /** Shows a link to that page. */
  titleLink?: { text: string; url: string };
}
