/**
 * What of a change is worth saying aloud: each piece of news once, and never a time that counts. Pure.
 */
import type { Message } from "./message";
import type { Missed } from "./missed";
import type { Following } from "./rejoin";
import type { Words } from "./words";

/** What was last seen. */
export interface Seen {
  message: Message["kind"] | null;
  isOffered: boolean;
  following: Following["kind"];
}

export function seenNow(message: Message | null, offered: Missed | null, following: Following): Seen {
  return { message: message?.kind ?? null, isOffered: offered !== null, following: following.kind };
}

/** The sentences for what has changed since `before`. */
export function newsSince(before: Seen, now: Seen, message: Message | null, offered: Missed | null, words: Words): string[] {
  const said: string[] = [];
  const isNew = message !== null && now.message !== before.message && !QUIET.includes(message.kind);
  if (isNew) said.push(`${message.title} ${message.hint}`.trim());
  if (offered && !before.isOffered) said.push(words.missedSpoken(offered.length_s));
  if (now.following === "catching-up" && before.following !== "catching-up") said.push(words.catchingUpSpoken);
  if (now.following === "live" && before.following === "catching-up") said.push(words.liveAgain);
  return said;
}

/** These come and go, and say nothing that could be acted on. */
const QUIET: readonly Message["kind"][] = ["loading", "buffering"];
