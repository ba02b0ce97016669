/**
 * What a recorder tells, held against what was recorded here: it is believed to have something by the digests too. Pure.
 */
import type { SegmentFile } from "../spool/names";
import { digestOfRange } from "./blake3";
import type { Arrived, Ledger } from "./ledger";
import type { RemoteStatus } from "./remote";
import { contains, type Range, rangesOf } from "./seqs";

export function arrivedOf(status: RemoteStatus, files: ReadonlyMap<number, SegmentFile>, ledger: Ledger): Arrived {
  const stored = status.stored.filter(({ range, digest }) => digestOf(range, files) === digest).map(({ range }) => range);
  const isSame = (seq: number) => contains(stored, seq) || ledger.get(seq)?.standing === "stored";
  const seqs = [...files.keys()].sort((a, b) => a - b);
  const safe = rangesOf(seqs.filter((seq) => isSame(seq) && contains(status.safe, seq)));
  return { stored, safe, told: status.stored.map(({ range }) => range) };
}

/** `null` if something of it is not ours. */
function digestOf([first, last]: Range, files: ReadonlyMap<number, SegmentFile>): string | null {
  const digests: string[] = [];
  for (let seq = first; seq <= last; seq++) {
    const file = files.get(seq);
    if (!file) return null;
    digests.push(file.digest);
  }
  return digestOfRange(digests);
}
