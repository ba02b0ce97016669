/**
 * A moment of a broadcast in an address: `?t=` holds the time of capture, so that the link leads to the same picture
 * in every view, live and years later. Pure.
 */

/** The address of a page, leading to a moment. */
export function linkAt(page: string, at_ms: number | null): string {
  const url = new URL(page);
  url.hash = "";
  url.searchParams.delete("t");
  if (at_ms !== null) url.searchParams.set("t", new Date(Math.floor(at_ms / 1000) * 1000).toISOString().replace(".000", ""));
  return url.href;
}

/** The moment that an address leads to: ISO 8601, or seconds since the Unix epoch. */
export function momentIn(search: string): number | null {
  const given = new URLSearchParams(search).get("t");
  if (given === null || given === "") return null;
  if (/^\d{9,11}(\.\d+)?$/.test(given)) return Number(given) * 1000;
  const ms = /^\d{4}-/.test(given) ? Date.parse(given) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}
