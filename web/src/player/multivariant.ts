/**
 * Reads a Multivariant Playlist (RFC 8216bis, 4.4.6): which view it leads to, and what playing it takes. Pure.
 */

/** The views that the server's own playlists lead to; `other` for somebody else's. */
export type ViewName = "live" | "dvr" | "catchup" | "vod" | "other";

export interface Multivariant {
  view: ViewName;
  /** The first Media Playlist, relative to this one. */
  first: string;
  /** Whether sound or captions have playlists of their own. */
  hasMedia: boolean;
}

/** Null if it names no Media Playlist. */
export function readMultivariant(text: string): Multivariant | null {
  const lines = text.split("\n").map((line) => line.trim());
  if (lines[0] !== "#EXTM3U") return null;
  const first = lines.find((line) => line !== "" && !line.startsWith("#"));
  if (first === undefined) return null;
  const name = /(?:^|\/)(live|dvr|catchup|vod)(?:-\d+)?\.m3u8(?:\?|$)/.exec(first)?.[1];
  const hasMedia = lines.some((line) => line.startsWith("#EXT-X-MEDIA:"));
  return { view: (name as ViewName | undefined) ?? "other", first, hasMedia };
}

/** The address of the Multivariant Playlist of another view of the same broadcast. */
export function addressOf(source: string, view: "live" | "dvr" | "vod" | { catchupFrom: number }): string {
  const url = new URL(source);
  for (const name of ["view", "from"]) url.searchParams.delete(name);
  if (typeof view === "string") url.searchParams.set("view", view);
  else {
    url.searchParams.set("view", "catchup");
    url.searchParams.set("from", String(view.catchupFrom));
  }
  return url.href;
}
