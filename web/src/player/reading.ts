/**
 * Reads a Media Playlist (RFC 8216bis, 4.4) into what the player needs of it: which moments there are, which are
 * missing, and what the server says about the broadcast. Pure; hls.js and the browser read it for themselves.
 *
 * Foreign text costs no more than its length: what is not understood is passed over.
 */

/** One segment, or a gap. */
export interface Entry {
  /** The media sequence number. */
  msn: number;
  /** When it was captured: EXT-X-PROGRAM-DATE-TIME, in ms since the Unix epoch. */
  at_ms: number;
  duration_s: number;
  /** Where it begins, in seconds from the first entry of the playlist. */
  from_s: number;
  isGap: boolean;
  /** Its address, relative to the playlist. */
  uri: string;
}

/** What EXT-X-DATERANGE of the classes `headwater.*` says. */
export type Range =
  | { kind: "interrupted" | "paused"; id: string; start_ms: number; end_ms: number | null }
  /** What was missing has arrived: segments `from` to `to`. */
  | { kind: "recovered"; id: string; start_ms: number; end_ms: number | null; from: number; to: number };

export interface Reading {
  target_s: number;
  entries: readonly Entry[];
  ranges: readonly Range[];
  /** EXT-X-ENDLIST: nothing will be added. */
  isEnded: boolean;
  /** EXT-X-PLAYLIST-TYPE; `live` for none. */
  type: "live" | "event" | "vod";
  canSkip: boolean;
  canBlock: boolean;
}

/** The end of the last entry, in seconds from the first. */
export function length_s({ entries }: Reading): number {
  const last = entries.at(-1);
  return last ? last.from_s + last.duration_s : 0;
}

/**
 * `before` is the last reading of the same playlist, for a Playlist Delta Update (4.4.5.2). Null if this is no Media
 * Playlist, or one that leaves out what `before` does not have: then the whole must be asked for.
 */
export function readPlaylist(text: string, before: Reading | null): Reading | null {
  if (!text.startsWith("#EXTM3U")) return null;
  const reader = new Reader(before);
  for (const line of text.split("\n")) {
    if (!reader.take(line.trimEnd())) return null;
  }
  return reader.reading();
}

class Reader {
  #target_s = 0;
  #type: Reading["type"] = "live";
  #isEnded = false;
  #canSkip = false;
  #canBlock = false;
  #msn = 0;
  #entries: Entry[] = [];
  readonly #ranges = new Map<string, Range>();
  // Of the next entry:
  #at_ms: number | null = null;
  #duration_s: number | null = null;
  #isGap = false;

  constructor(private readonly before: Reading | null) {
    for (const range of before?.ranges ?? []) this.#ranges.set(range.id, range);
  }

  /** False if the text cannot be read. */
  take(line: string): boolean {
    if (line === "") return true;
    if (!line.startsWith("#")) {
      this.#entry(line);
      return true;
    }
    const [tag, value] = splitAt(line, ":");
    if (tag === "#EXT-X-SKIP") return this.#skip(Number(attributes(value).get("SKIPPED-SEGMENTS")));
    this.#tag(tag, value);
    return true;
  }

  reading(): Reading {
    return {
      target_s: this.#target_s,
      entries: this.#entries,
      ranges: [...this.#ranges.values()],
      isEnded: this.#isEnded,
      type: this.#type,
      canSkip: this.#canSkip,
      canBlock: this.#canBlock,
    };
  }

  #tag(tag: string, value: string): void {
    switch (tag) {
      case "#EXT-X-TARGETDURATION":
        this.#target_s = positive(value);
        break;
      case "#EXT-X-MEDIA-SEQUENCE":
        this.#msn = positive(value);
        break;
      case "#EXT-X-PLAYLIST-TYPE":
        this.#type = value === "VOD" ? "vod" : "event";
        break;
      case "#EXT-X-SERVER-CONTROL":
        this.#canBlock = attributes(value).get("CAN-BLOCK-RELOAD") === "YES";
        this.#canSkip = attributes(value).has("CAN-SKIP-UNTIL");
        break;
      case "#EXT-X-ENDLIST":
        this.#isEnded = true;
        break;
      case "#EXT-X-PROGRAM-DATE-TIME":
        this.#at_ms = date_ms(value);
        break;
      case "#EXTINF":
        this.#duration_s = positive(value);
        break;
      case "#EXT-X-GAP":
        this.#isGap = true;
        break;
      case "#EXT-X-DATERANGE":
        this.#range(attributes(value));
        break;
    }
  }

  #skip(count: number): boolean {
    const { before } = this;
    if (!before || !(count >= 0)) return false;
    const first = before.entries.findIndex(({ msn }) => msn === this.#msn);
    if (first < 0 || first + count > before.entries.length) return false;
    this.#entries = before.entries.slice(first, first + count);
    this.#msn += count;
    return true;
  }

  #entry(uri: string): void {
    const last = this.#entries.at(-1);
    const duration_s = this.#duration_s ?? 0;
    const expected_ms = last ? last.at_ms + last.duration_s * 1000 : 0;
    this.#entries.push({
      msn: this.#msn,
      at_ms: this.#at_ms ?? expected_ms,
      duration_s,
      from_s: last ? last.from_s + last.duration_s : 0,
      isGap: this.#isGap,
      uri,
    });
    this.#msn += 1;
    this.#at_ms = null;
    this.#duration_s = null;
    this.#isGap = false;
  }

  #range(given: Map<string, string>): void {
    const kind = /^headwater\.(interrupted|paused|recovered)$/.exec(given.get("CLASS") ?? "")?.[1];
    const id = given.get("ID");
    const start_ms = date_ms(given.get("START-DATE"));
    if (!kind || !id || start_ms === null) return;
    const common = { id, start_ms, end_ms: date_ms(given.get("END-DATE")) };
    if (kind === "interrupted" || kind === "paused") {
      this.#ranges.set(id, { kind, ...common });
    } else {
      const [from, to] = [Number(given.get("X-FROM")), Number(given.get("X-TO"))];
      if (from >= 0 && to >= from) this.#ranges.set(id, { kind: "recovered", ...common, from, to });
    }
  }
}

/** An attribute list (4.2), with quotes taken away. */
function attributes(text: string): Map<string, string> {
  const found = text.matchAll(/([A-Z0-9-]+)=(?:"([^"]*)"|([^",]*))/g);
  return new Map(Array.from(found, ([, name, quoted, bare]) => [name ?? "", quoted ?? bare ?? ""]));
}

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function positive(text: string): number {
  const number = Number.parseFloat(text);
  return Number.isFinite(number) && number > 0 ? number : 0;
}

function date_ms(text: string | undefined): number | null {
  const ms = Date.parse(text ?? "");
  return Number.isNaN(ms) ? null : ms;
}
