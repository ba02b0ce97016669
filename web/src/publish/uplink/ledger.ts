/**
 * What of the spool is owed far away, what has arrived there, and what is safe. Pure. The same as
 * publisher/src/ledger.rs, of one rendition.
 */
import { contains, type Range, rangesOf } from "./seqs";

/** How a recorded segment stands. */
export type Standing =
  | "owed"
  /** It will never be taken there. */
  | "refused"
  /** It cannot be read here: until it can, it will not be there. */
  | "unreadable"
  /** There, but not so that it may be deleted here. */
  | "stored"
  | "safe"
  /** Safe there, and deleted here. */
  | "deleted";

/** What is known of a segment when it is durable here. */
export interface Recorded {
  seq: number;
  /** By our clock. */
  captured_ms: number;
  duration_ms: number;
  bytes: number;
}

/** What a recorder has told, held against what was recorded here. */
export interface Arrived {
  /** There, and the same as here. */
  stored: readonly Range[];
  safe: readonly Range[];
  /** All that was told to be there, whatever it is. */
  told: readonly Range[];
}

interface Entry extends Recorded {
  standing: Standing;
}

export class Ledger {
  readonly #entries = new Map<number, Entry>();
  #owed_ms = 0;
  #owed_bytes = 0;

  /** A segment is durable here. One that was deleted here in an earlier run was safe. */
  recorded(segment: Recorded, standing: "owed" | "deleted" = "owed"): void {
    if (this.#entries.has(segment.seq)) return;
    this.#entries.set(segment.seq, { ...segment, standing: "deleted" });
    this.#stand(segment.seq, standing);
  }

  /** A late word of a second recorder takes back nothing: what is deleted here was safe. */
  acknowledged(seq: number, safe: boolean): void {
    if (this.#entries.get(seq)?.standing === "deleted") return;
    this.#stand(seq, safe ? "safe" : "stored");
  }

  /** A recorder will never take this segment. */
  refused(seq: number): void {
    this.#stand(seq, "refused");
  }

  /** A segment cannot be read here. */
  unreadable(seq: number): void {
    this.#stand(seq, "unreadable");
  }

  /** Perhaps it can be read by now. */
  readAgain(seq: number): void {
    if (this.#entries.get(seq)?.standing === "unreadable") this.#stand(seq, "owed");
  }

  /** A segment that was safe has been deleted here. */
  deleted(seq: number): void {
    this.#stand(seq, "deleted");
  }

  /** It has another number now. */
  forget(seq: number): void {
    this.#stand(seq, "deleted");
    this.#entries.delete(seq);
  }

  /**
   * What a recorder has told is all that is there. What was stored and is no longer is owed again: it was not safe, and
   * the node that had it is gone.
   */
  arrived({ stored, safe, told }: Arrived): void {
    for (const { seq, standing } of this.#entries.values()) {
      if (standing === "deleted" || standing === "refused") continue;
      if (contains(safe, seq)) this.#stand(seq, "safe");
      else if (contains(stored, seq)) this.#stand(seq, "stored");
      else if (standing === "unreadable") continue;
      // It was acknowledged by its digest, and is in a range of which something else is not ours.
      else if (standing === "owed" || !contains(told, seq)) this.#stand(seq, "owed");
    }
  }

  /** What is said to be there and not safe is sent again: whoever had it may be gone for good. */
  sendAgain(seq: number): void {
    if (this.#entries.get(seq)?.standing === "stored") this.#stand(seq, "owed");
  }

  #stand(seq: number, standing: Standing): void {
    const entry = this.#entries.get(seq);
    if (!entry) return;
    const sign = Number(standing === "owed") - Number(entry.standing === "owed");
    this.#owed_ms += sign * entry.duration_ms;
    this.#owed_bytes += sign * entry.bytes;
    entry.standing = standing;
  }

  get(seq: number): Readonly<Entry> | undefined {
    return this.#entries.get(seq);
  }

  /** How long the longest of these is. */
  longest_ms(seqs: readonly number[]): number {
    return Math.max(0, ...seqs.map((seq) => this.get(seq)?.duration_ms ?? 0));
  }

  isOwed(seq: number): boolean {
    return this.#entries.get(seq)?.standing === "owed";
  }

  /** What is owed and was captured from `since_ms` on, oldest first. */
  owedSince(since_ms: number): number[] {
    return this.#owed().filter((entry) => entry.captured_ms >= since_ms).map((entry) => entry.seq);
  }

  /** What is owed and was captured before `until_ms`, oldest first. */
  owedBefore(until_ms: number): number[] {
    return this.#owed().filter((entry) => entry.captured_ms < until_ms).map((entry) => entry.seq);
  }

  #owed(): Entry[] {
    const owed = [...this.#entries.values()].filter((entry) => entry.standing === "owed");
    return owed.sort((a, b) => a.captured_ms - b.captured_ms || a.seq - b.seq);
  }

  owed(): { segments: number; duration_ms: number; bytes: number } {
    return { segments: this.with("owed").length, duration_ms: this.#owed_ms, bytes: this.#owed_bytes };
  }

  /** The numbers of those that stand so, in order. */
  with(standing: Standing): number[] {
    const found = [...this.#entries.values()].filter((entry) => entry.standing === standing);
    return found.map((entry) => entry.seq).sort((a, b) => a - b);
  }

  owedRanges(): Range[] {
    return rangesOf(this.with("owed"));
  }

  /** The oldest segment that is safe and still here. */
  deletable(): number | undefined {
    return this.with("safe")[0];
  }

  /** The bytes that are here, whatever became of them there. */
  keptBytes(): number {
    let bytes = 0;
    for (const entry of this.#entries.values()) if (entry.standing !== "deleted") bytes += entry.bytes;
    return bytes;
  }

  /** Whether there is nothing left to do: all that was recorded is safe, or will never be there. */
  isSettled(): boolean {
    return [...this.#entries.values()].every(({ standing }) => standing !== "owed" && standing !== "stored");
  }

  /** Whether nothing is kept from there for good. */
  areAllThere(): boolean {
    return [...this.#entries.values()].every(({ standing }) => standing !== "refused" && standing !== "unreadable");
  }

  /** Whether nothing is owed, though not all may be safe. */
  isSent(): boolean {
    return this.with("owed").length === 0;
  }

  /** The number after the last. */
  next(): number {
    let next = 0;
    for (const seq of this.#entries.keys()) next = Math.max(next, seq + 1);
    return next;
  }
}
