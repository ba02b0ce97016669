/**
 * What the watch page knows of its broadcast, and what it says about it. Pure.
 */
import { type State, durationWords, stateSentence } from "../broadcast";

/** Where the page stands. */
export type Standing =
  | { kind: "loading" }
  | { kind: "no-such-broadcast" }
  | { kind: "known"; title: string; state: State; since_ms: number | null }
  /** The server cannot be asked; `before` is what was known. */
  | { kind: "out-of-touch"; before: Known | null };

export type Known = Extract<Standing, { kind: "known" }>;

/** The sentence under the picture. The time runs, so it is apart: it must not be read aloud every second. */
export interface Words {
  before: string;
  timer: string;
  after: string;
}

/** `now_ms` is by the server's clock, as `since_ms` is. */
export function words(standing: Standing, now_ms: number): Words {
  switch (standing.kind) {
    case "loading":
      return only("Loading…");
    case "no-such-broadcast":
      return only("There is no broadcast at this address. Perhaps the link was cut short?");
    case "out-of-touch":
      return only("The server cannot be reached from here; trying again");
    case "known":
      return { ...stateSentence(standing.state), timer: timer(standing, now_ms) };
  }
}

function only(sentence: string): Words {
  return { before: sentence, timer: "", after: "" };
}

function timer({ state, since_ms }: Known, now_ms: number): string {
  const counts = (state === "interrupted" || state === "paused") && since_ms !== null;
  return counts ? ` for ${durationWords((now_ms - since_ms) / 1000)}` : "";
}

/**
 * What is known after `state` was seen at `now_ms`: since when it lasts is the server's word, else since we saw it.
 */
export function seen(
  before: Standing,
  broadcast: { title: string; state: State; since?: number | null },
  now_ms: number,
): Known {
  const known = before.kind === "out-of-touch" ? before.before : before.kind === "known" ? before : null;
  const same = known?.state === broadcast.state ? known.since_ms : null;
  const since_ms = broadcast.since ?? same ?? now_ms;
  return { kind: "known", title: broadcast.title, state: broadcast.state, since_ms };
}
