/**
 * What is said of a recording: its holes in time, sizes and rates. Pure.
 */
import type { Details } from "../broadcast";
import type { Language } from "../language";
import type { OwnerWords } from "./words";

/** Capture time for which something is missing, in ms since the Unix epoch; null where it is open. */
export interface Hole {
  from: number | null;
  to: number | null;
}

/** A piece of the bar that stands for the recording, in hundredths of its length. */
export interface Piece {
  start: number;
  length: number;
}

/** A piece this short would not be seen. */
const LENGTH_MIN = 0.6;

/** The holes of all renditions in the order of time. Renditions lack the same times as a rule: each is told once. */
export function holesOf({ details }: Details): Hole[] {
  const holes = new Map<string, Hole>();
  for (const { missing_between } of Object.values(details)) {
    for (const [from, to] of missing_between) holes.set(`${from} ${to}`, { from, to });
  }
  const start = ({ from, to }: Hole) => from ?? to ?? Number.POSITIVE_INFINITY;
  return [...holes.values()].sort((a, b) => start(a) - start(b));
}

/** Where the holes lie in the recording. One that is open reaches to its end. */
export function pieces(recorded: [number, number], holes: Hole[]): Piece[] {
  const [began, ended] = recorded;
  const length_ms = Math.max(1, ended - began);
  const at = (ms: number) => Math.min(100, Math.max(0, ((ms - began) / length_ms) * 100));
  return holes.map(({ from, to }) => {
    const [start, end] = [at(from ?? began), at(to ?? ended)];
    const length = Math.max(LENGTH_MIN, end - start);
    return { start: Math.min(start, 100 - length), length };
  });
}

/** What is said of one of which nothing has come: its publisher may have said where it ends before sending anything. */
export function nothingYet({ missing }: Pick<Details, "missing">, words: Pick<OwnerWords, "nothingRecorded" | "stillToCome">): string {
  return missing > 0 ? words.stillToCome : words.nothingRecorded;
}

/** What is said of one that its owner has ended, and its publisher has not; nothing of others. */
export function openUntil({ open_until }: Pick<Details, "open_until">, words: Pick<OwnerWords, "mayStillCome">, language: Language): string {
  return open_until === null ? "" : words.mayStillCome(timeInWords(language, open_until, Date.now()));
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** 3.4 MB, as the language writes it. */
export function bytesInWords(language: Language, bytes: number): string {
  const step = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const format = { style: "unit", unit: UNITS[step] ?? "byte", maximumFractionDigits: step > 1 ? 1 : 0 } as const;
  return new Intl.NumberFormat(language, format).format(bytes / 1000 ** step);
}

/** 2.1 Mb/s. */
export function rateInWords(language: Language, bits_per_s: number): string {
  const mega = bits_per_s >= 1_000_000;
  const format = { style: "unit", unit: mega ? "megabit-per-second" : "kilobit-per-second" } as const;
  const value = bits_per_s / (mega ? 1_000_000 : 1_000);
  return new Intl.NumberFormat(language, { ...format, maximumFractionDigits: mega ? 1 : 0 }).format(value);
}

/** The time of day, and the day if it is not the one of `beside`. */
export function timeInWords(language: Language, ms: number, beside: number): string {
  const [at, other] = [new Date(ms), new Date(beside)];
  const day = at.toDateString() === other.toDateString() ? {} : ({ dateStyle: "medium" } as const);
  return new Intl.DateTimeFormat(language, { timeStyle: "medium", ...day }).format(at);
}
