/**
 * Which language the pages speak, plurals, and lengths of time. Pure, but for `useLanguage`.
 *
 * The words themselves lie where they are said, in `words/{en,ru,sl}.ts` of each folder: `en.ts` gives the type
 * (`typeof en`), and the others must have it, so a missing word does not compile.
 */

export const LANGUAGES = ["en", "ru", "sl"] as const;
export type Language = (typeof LANGUAGES)[number];

/** The forms that a language needs beside a number (CLDR's cardinal categories for whole numbers). */
export interface PluralForms {
  en: { one: string; other: string };
  ru: { one: string; few: string; many: string };
  sl: { one: string; two: string; few: string; other: string };
}

/** `?lang=` of the address, else the first of the viewer's languages that there is, else English. */
export function chooseLanguage(search: string, preferred: readonly string[]): Language {
  const asked = new URLSearchParams(search).get("lang");
  const wanted = asked === null ? preferred : [asked, ...preferred];
  return wanted.map(known).find((language) => language !== null) ?? "en";
}

function known(tag: string): Language | null {
  const primary = tag.toLowerCase().split("-")[0];
  return LANGUAGES.find((language) => language === primary) ?? null;
}

/** Chooses a language for the page and notes it in the page: `lang`, and `dir` as `?dir=` has it. */
export function useLanguage(): Language {
  const language = chooseLanguage(location.search, navigator.languages);
  const root = document.documentElement;
  root.lang = language;
  root.dir = new URLSearchParams(location.search).get("dir") === "rtl" ? "rtl" : "ltr";
  return language;
}

/** What a dictionary has under the language: `pick(language, { en, ru, sl })`. */
export function pick<T>(language: Language, words: Record<Language, T>): T {
  return words[language];
}

/** "1 part", "2 parts": the number, as the language writes it, and the form that it asks for. */
export function counted<L extends Language>(language: L, count: number, forms: PluralForms[L]): string {
  const rule = new Intl.PluralRules(language).select(count);
  const table: Partial<Record<Intl.LDMLPluralRule, string>> = forms;
  // Fractions, which Russian calls "other", take the form of few things; nothing here counts them.
  const form = table[rule] ?? table.few ?? table.other ?? "";
  return `${new Intl.NumberFormat(language).format(count)} ${form}`;
}

interface TimeForms<L extends Language> {
  hours: PluralForms[L];
  minutes: PluralForms[L];
  seconds: PluralForms[L];
}

/** For lengths: "interrupted for …", "… behind"; in Russian and Slovenian that is the accusative. */
const TIMES: { [L in Language]: TimeForms<L> } = {
  en: {
    hours: { one: "hour", other: "hours" },
    minutes: { one: "minute", other: "minutes" },
    seconds: { one: "second", other: "seconds" },
  },
  ru: {
    hours: { one: "час", few: "часа", many: "часов" },
    minutes: { one: "минуту", few: "минуты", many: "минут" },
    seconds: { one: "секунду", few: "секунды", many: "секунд" },
  },
  sl: {
    hours: { one: "uro", two: "uri", few: "ure", other: "ur" },
    minutes: { one: "minuto", two: "minuti", few: "minute", other: "minut" },
    seconds: { one: "sekundo", two: "sekundi", few: "sekunde", other: "sekund" },
  },
};

/** A length of time in words: "42 seconds", "3 minutes 20 seconds", "1 hour 2 minutes". */
export function durationInWords<L extends Language>(language: L, seconds: number): string {
  const whole = wholeSeconds(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const { hours, minutes, seconds: secondForms }: TimeForms<L> = TIMES[language];
  const parts: string[] = [];
  if (h > 0) parts.push(counted(language, h, hours));
  if (m > 0) parts.push(counted(language, m, minutes));
  // Beside hours nobody counts seconds.
  if (h === 0 && (s > 0 || m === 0)) parts.push(counted(language, s, secondForms));
  return parts.join(" ");
}

/** A length of time as a clock shows it, in every language: 0:42, 3:20, 1:02:03. */
export function clock(seconds: number): string {
  const whole = wholeSeconds(seconds);
  const two = (n: number) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** For estimates that are said aloud: a new one every second would interrupt itself. */
export function wholeMinutes(seconds: number): number {
  return 60 * Math.max(1, Math.round(seconds / 60));
}

function wholeSeconds(seconds: number): number {
  return Number.isFinite(seconds) ? Math.max(0, Math.round(seconds)) : 0;
}
