/**
 * What is played: one view of one broadcast, and its addresses. Pure.
 */
import { addressOf, type Multivariant } from "./multivariant";

export type Source =
  | { kind: "dvr" }
  /** Without the past: little to load, and no timeline. */
  | { kind: "live" }
  | { kind: "catchup"; from: number }
  | { kind: "vod" }
  /** A playlist that is none of Headwater's: played as it is. */
  | { kind: "other" };

/** Where the playlists of one broadcast are. */
export class Addresses {
  constructor(
    /** Of the Multivariant Playlist. */
    private readonly multivariant: string,
    private readonly found: Multivariant,
  ) {}

  multivariantOf(source: Source): string {
    switch (source.kind) {
      case "other":
        return this.multivariant;
      case "catchup":
        return addressOf(this.multivariant, { catchupFrom: source.from });
      default:
        return addressOf(this.multivariant, source.kind);
    }
  }

  /** The Media Playlist of the first rendition. */
  mediaOf(source: Source): string {
    const first = new URL(this.found.first, this.multivariant);
    if (source.kind === "other") return first.href;
    first.search = source.kind === "catchup" ? `?from=${source.from}` : "";
    // Live and dvr have the same number in their names, if any.
    const arrives = source.kind === "live" || source.kind === "dvr";
    const number = arrives ? (/\/(?:live|dvr)(-\d+)\.m3u8$/.exec(first.pathname)?.[1] ?? "") : "";
    first.pathname = first.pathname.replace(/[^/]+$/, `${source.kind}${number}.m3u8`);
    return first.href;
  }

  /** The first picture of an entry, so many pixels wide. */
  stillOf(entryUri: string, width: number): string | null {
    const seq = /^(\d+)\.(?:ts|m4s)$/.exec(entryUri)?.[1];
    if (this.found.view === "other" || seq === undefined) return null;
    return new URL(`${seq}.jpg?width=${width}`, new URL(this.found.first, this.multivariant)).href;
  }

  get hasMedia(): boolean {
    return this.found.hasMedia;
  }
}

/** The newest picture of a broadcast, so many pixels wide. */
export function posterOf(source: string, width: number): string | null {
  const url = new URL(source);
  if (!url.pathname.endsWith("/index.m3u8")) return null;
  return new URL(`poster.jpg?width=${width}`, url).href;
}
