/**
 * What a broadcast is and how it is said in words. Pure: no page, no network, no clock.
 */

/** The states of a broadcast, with the same names as in the server. */
export const STATES = ["created", "live", "interrupted", "paused", "ended", "complete"] as const;
export type State = (typeof STATES)[number];

/** A broadcast as the API gives it. Times are in ms since the Unix epoch. */
export interface Broadcast {
  id: string;
  title: string;
  state: State;
  /** Since when it is interrupted or paused, by the server's clock; absent in lists. */
  since?: number | null;
  created_at: number;
  /** How much was recorded and has arrived, in seconds. */
  duration_s: number;
  renditions: string[];
  /** How many segments are known to be missing. */
  missing: number;
}

/** One word for each state, for lists. */
export const STATE_LABELS: Record<State, string> = {
  created: "Not started",
  live: "Live",
  interrupted: "Interrupted",
  paused: "Paused",
  ended: "Ended",
  complete: "Complete",
};

/** What a viewer of the broadcast should know; the time that it lasts, if that matters, goes between the two. */
export function stateSentence(state: State): { before: string; after: string } {
  switch (state) {
    case "created":
      return { before: "Not started yet: this page starts by itself", after: "" };
    case "live":
      return { before: "Live", after: "" };
    case "interrupted":
      return { before: "Interrupted", after: "; the picture will come back by itself" };
    case "paused":
      return { before: "Paused by the publisher", after: "; the picture will come back by itself" };
    case "ended":
      return { before: "Ended", after: "; what is still on its way will be added" };
    case "complete":
      return { before: "Ended", after: "; this is the whole recording" };
  }
}

/** A length of time for people: 42 s, 3:20 min, 1:02:03 h. */
export function durationWords(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)} min`;
  return `${Math.floor(whole / 3600)}:${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)} h`;
}

/** "3 parts missing", or nothing if none is. */
export function missingWords(missing: number): string {
  if (missing <= 0) return "";
  return missing === 1 ? "1 part missing" : `${missing} parts missing`;
}

/** Whether there is, or may soon be, something to play. */
export function hasStarted(state: State): boolean {
  return state !== "created";
}

/** Whether nothing new will be captured. */
export function isOver(state: State): boolean {
  return state === "ended" || state === "complete";
}
