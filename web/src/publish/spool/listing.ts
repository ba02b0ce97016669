/**
 * What a listing of a spool comes to: what is whole, what is torn, and what is lost between. Pure.
 */
import { contains, type Range } from "../uplink/seqs";
import type { ClockNote } from "../uplink/times";
import { readName, type SegmentFile, segmentName } from "./names";

/** A file as it is found. */
export interface Found {
  name: string;
  bytes: number;
}

export interface Listing {
  /** Whole and here, in order. */
  segments: SegmentFile[];
  /** Safe, and deleted here: in order. */
  gone: SegmentFile[];
  /** Files that were begun and not finished: nobody was told of them. */
  torn: string[];
  /** Segments that were given another number, and are kept under that too. */
  twice: string[];
  /** Numbers between others that nothing is left of, and that nobody else is known to have used. */
  lost: number[];
  /** How far the recorders' clock was from ours, as earlier runs learned it. */
  clocks: ClockNote[];
  /** The same, for numbers of which nothing is here: the next run uses them, with a clock of its own. */
  idle: string[];
  /** The files that say what this is of, the newest first. */
  about: string[];
}

export function readListing(files: readonly Found[]): Listing {
  const listing: Listing = { segments: [], gone: [], torn: [], twice: [], lost: [], clocks: [], idle: [], about: [] };
  const about: { version: number; name: string }[] = [];
  const others: Range[] = [];
  const seen = new Set<number>();
  const gone: SegmentFile[] = [];
  const clocks: { note: ClockNote; name: string }[] = [];
  for (const { name, bytes } of files) {
    const read = readName(name);
    if (read?.kind === "about") about.push({ version: read.version, name });
    else if (read?.kind === "others") others.push(read.range);
    else if (read?.kind === "clock") clocks.push({ note: read.note, name });
    else if (read?.kind === "gone") gone.push(read.segment);
    else if (read?.kind === "segment") {
      if (bytes !== read.segment.bytes || seen.has(read.segment.seq)) listing.torn.push(name);
      else {
        seen.add(read.segment.seq);
        listing.segments.push(read.segment);
      }
    }
  }
  // A deletion that broke off leaves both: the segment is here.
  listing.gone = gone.filter((segment) => !seen.has(segment.seq)).sort(bySeq);
  listing.segments.sort(bySeq);
  // Also under the other number it may be safe, and deleted here.
  const numbered = [...listing.segments, ...listing.gone].sort(bySeq);
  const newest = new Map(numbered.map((segment) => [footageOf(segment), segment]));
  const isNewest = (segment: SegmentFile) => newest.get(footageOf(segment)) === segment;
  listing.twice = listing.segments.filter((segment) => !isNewest(segment)).map(segmentName);
  listing.segments = listing.segments.filter(isNewest);
  listing.about = about.sort((a, b) => b.version - a.version).map(({ name }) => name);
  const last = Math.max(-1, ...[listing.segments, listing.gone].map((some) => some.at(-1)?.seq ?? -1));
  listing.clocks = clocks.filter(({ note }) => note.from <= last).map(({ note }) => note);
  listing.idle = clocks.filter(({ note }) => note.from > last).map(({ name }) => name);
  listing.lost = holes([...listing.segments, ...listing.gone].map((segment) => segment.seq)).filter((seq) => !contains(others, seq));
  return listing;
}

/** What can be one file, so that players can play it: MPEG-TS of any kind, or fragmented MP4 with one init section. */
export function playable(segments: readonly SegmentFile[]): SegmentFile[][] {
  const files: SegmentFile[][] = [];
  for (const segment of segments) {
    const before = files.at(-1)?.at(-1);
    if (before?.container === segment.container && before.init === segment.init) files.at(-1)!.push(segment);
    else files.push([segment]);
  }
  return files;
}

/** The numbers that are missing between others. */
function holes(seqs: number[]): number[] {
  const known = new Set(seqs);
  const [first, last] = [Math.min(...seqs), Math.max(...seqs)];
  const missing: number[] = [];
  for (let seq = first; seq < last; seq++) if (!known.has(seq)) missing.push(seq);
  return missing;
}

/** The same for the same footage, whatever its number. */
function footageOf({ digest, captured_ms }: SegmentFile): string {
  return `${digest} ${captured_ms}`;
}

function bySeq(a: SegmentFile, b: SegmentFile): number {
  return a.seq - b.seq;
}
