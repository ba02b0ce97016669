/**
 * How it stands with live, for the button that leads there. Pure.
 */
import type { Knowledge } from "./standing";
import type { Words } from "./words";

export type AtLive =
  /** What is shown is older: the button leads to live. */
  | "behind"
  | "live"
  /** Live stands still, and the picture with it, now or soon. */
  | "interrupted"
  | "paused"
  /** Nobody tells how it stands. */
  | "unheard";

export function atLive(isAtLive: boolean, { standing, silence }: Knowledge): AtLive {
  if (!isAtLive) return "behind";
  if (silence !== null) return "unheard";
  return standing.kind === "interrupted" || standing.kind === "paused" ? standing.kind : "live";
}

/** What the button is called where that is more than what stands on it. */
export function nameOf(state: AtLive, words: Words): string | null {
  switch (state) {
    case "live":
      return words.isLive;
    case "interrupted":
      return words.liveInterrupted;
    case "paused":
      return words.livePaused;
    case "behind":
    case "unheard":
      return null;
  }
}
