/**
 * What the owner's pages say, in the language of whoever looks.
 */
import { type Language, pick } from "../language";
import { en } from "./words/en";
import { ru } from "./words/ru";
import { sl } from "./words/sl";

export type OwnerWords = typeof en;

export function ownerWords(language: Language): OwnerWords {
  return pick(language, { en, ru, sl });
}
