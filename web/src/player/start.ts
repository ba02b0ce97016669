/**
 * From an address to something to play: waits until there is something, and finds out which view, and where in it.
 */
import { Opening, ask } from "./follow";
import type { ViewName } from "./multivariant";
import type { PlayerOptions } from "./options";
import { readPlaylist } from "./reading";
import { Addresses, type Source } from "./source";
import type { Absence, Failure } from "./standing";
import { positionOf, stretches } from "./timeline";

export interface StartListener {
  word(date: string | null): void;
  absent(absence: Absence): void;
  failure(failure: Failure): void;
  /** There is something to play. */
  found(addresses: Addresses, view: ViewName): void;
}

/** What to play, and where to begin, in seconds from the first entry; null for where live begins. */
export interface Begin {
  source: Source;
  start_s: number | null;
}

/** Waits for a broadcast's playlists. */
export function open(options: PlayerOptions, on: StartListener): Opening {
  return new Opening(options.source, {
    opened: (found, url, date) => {
      on.word(date);
      on.found(new Addresses(url, found), found.view);
    },
    absent: (absence, date) => {
      on.word(date);
      on.absent(absence);
    },
    failure: (failure) => on.failure(failure),
  });
}

/** Where a viewer begins who has come by an address. */
export async function beginning(
  options: PlayerOptions,
  addresses: Addresses,
  view: ViewName,
  signal: AbortSignal,
): Promise<Begin> {
  const { at_ms } = options;
  const isGrowing = view === "live" || view === "other";
  if (at_ms == null && isGrowing) {
    return { source: { kind: view === "other" ? "other" : (options.view ?? "dvr") }, start_s: null };
  }
  const source: Source = view === "vod" || view === "other" ? { kind: view } : { kind: "dvr" };
  return at_ms == null ? { source, start_s: 0 } : locate(addresses, source, at_ms, signal);
}

/** Where a moment is. One that came late is not in dvr: it is under catch-up. */
async function locate(addresses: Addresses, source: Source, at_ms: number, signal: AbortSignal): Promise<Begin> {
  const answer = await ask(addresses.mediaOf(source), signal);
  const reading = answer.kind === "text" ? readPlaylist(answer.text, null) : null;
  if (!reading) return { source, start_s: null };
  const late = stretches(reading).find(({ kind, from_ms, to_ms }) => kind === "late" && at_ms >= from_ms && at_ms < to_ms);
  if (source.kind !== "dvr" || !late || late.catchupFrom === null) return { source, start_s: positionOf(reading, at_ms) };
  return locate(addresses, { kind: "catchup", from: late.catchupFrom }, at_ms, signal);
}
