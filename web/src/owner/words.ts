/**
 * What the owner's pages say, in the language of whoever looks.
 */
import { type Language, pick } from "../language";
import type { ApiFailure } from "../transport";
import { en } from "./words/en";
import { ru } from "./words/ru";
import { sl } from "./words/sl";

export type OwnerWords = typeof en;

export function ownerWords(language: Language): OwnerWords {
  return pick(language, { en, ru, sl });
}

/** What became of a request that failed. */
export function said(words: OwnerWords, { kind, status, detail }: ApiFailure): string {
  if (kind === "unreachable" || status === null) return words.unreachable;
  return kind === "nonsense" ? words.nonsense : words.answers(status, detail.replace(/\.$/, ""));
}
