/**
 * The player's words in each language.
 */
import { type Language, pick } from "../language";
import { type Words, en } from "./words/en";
import { ru } from "./words/ru";
import { sl } from "./words/sl";

export type { Words };

export function wordsIn(language: Language): Words {
  return pick(language, { en, ru, sl });
}
