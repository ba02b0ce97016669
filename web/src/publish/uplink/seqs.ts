/**
 * Sets of segment numbers as the API tells them: ranges [first, last], both included, in order.
 */

export type Range = readonly [first: number, last: number];

export function contains(ranges: readonly Range[], seq: number): boolean {
  return ranges.some(([first, last]) => first <= seq && seq <= last);
}

/** The ranges of numbers that are in order. */
export function rangesOf(seqs: Iterable<number>): [number, number][] {
  const ranges: [number, number][] = [];
  for (const seq of seqs) {
    const last = ranges.at(-1);
    if (last && last[1] + 1 === seq) last[1] = seq;
    else ranges.push([seq, seq]);
  }
  return ranges;
}

/** What somebody else says is a set of numbers, if it is one. */
export function readRanges(told: unknown): Range[] | null {
  if (!Array.isArray(told)) return null;
  const isRange = (pair: unknown): pair is Range =>
    Array.isArray(pair) && pair.length === 2 && pair.every((n) => Number.isSafeInteger(n) && n >= 0) && pair[0] <= pair[1];
  return told.every(isRange) ? told : null;
}
