/** The words of the publish page, in the visitor's language. */
import { type Language, pick } from "../language";
import { en, type Words } from "./words/en";
import { ru } from "./words/ru";
import { sl } from "./words/sl";

export type { Words };

export function wordsIn(language: Language): Words {
  return pick<Words>(language, { en, ru, sl });
}
