/**
 * Keeps what is known of the clocks: how far the recorders' is from ours, and whether ours stood still because the device
 * slept. Notes it durably before anything goes out with it; or has tried to.
 */
import { type Spool, SpoolFull } from "../spool/spool";
import { Offset } from "./offset";
import { deviceAhead_ms, hasLeapt, runningTime_ms } from "./running-time";
import { type ClockNote, type ClockNow, offsetOf, toNote, toNoteOfEarlier, toNoteOfRenumbered, withNotes } from "./times";

/** How long to wait before a note that could not be written is tried again. */
const AGAIN_MS = 1_000;
/** How many leaps are remembered for what was captured before them and becomes durable afterwards. */
const LEAPS_MAX = 16;

/** A question to a recorder, as it was sent. */
export interface Asked {
  sent_ms: number;
  ahead_ms: number;
}

export class Dating {
  readonly #offset = new Offset();
  /** How far the device's clock is ahead of ours, by now and when a recorder answered last. */
  #ahead_ms = deviceAhead_ms();
  #confirmed_ms = 0;
  #isConfirmed = false;
  /** The same before each leap; and what was known of ours then, if anybody had answered. */
  #before: { ahead_ms: number; offset_ms: number | null }[] = [];
  #notes: ClockNote[];
  /** What is in the spool. */
  readonly #written: Set<ClockNote>;
  #isWriting = false;
  #again_ms = -Infinity;
  #isFailing = false;
  /** Only what is sent can be deleted from a full disk, and another failure may last: sooner without a note than never. */
  #goesWithout = false;

  /** `from` is the number of the first segment of this run. */
  constructor(
    private readonly spool: Spool,
    private readonly from: number,
    private readonly changed: () => void,
  ) {
    this.#notes = [...spool.found.clocks];
    this.#written = new Set(this.#notes);
  }

  /** Whether it is known by which time what is recorded goes out. */
  get isReady(): boolean {
    return this.#isConfirmed && (this.#goesWithout || this.#unwritten() === undefined);
  }

  /** Whether the device's clock has leapt, as when it slept, or somebody has set it. Which, a recorder can say. */
  look(next: number): boolean {
    const ahead_ms = deviceAhead_ms();
    if (!hasLeapt(this.#ahead_ms, ahead_ms)) return false;
    const before = { ahead_ms: this.#ahead_ms, offset_ms: this.#isConfirmed ? this.#offset.get() : null };
    this.#before = [...this.#before, before].slice(-LEAPS_MAX);
    this.#ahead_ms = ahead_ms;
    this.#isConfirmed = false;
    this.note(next);
    return true;
  }

  /** A segment is durable, which was captured when the device's clock was so far ahead: it may have leapt since. */
  recorded(seq: number, ahead_ms: number): void {
    if (!hasLeapt(ahead_ms, this.#ahead_ms)) return;
    this.#notes = withNotes(this.#notes, toNoteOfEarlier(seq, this.#then(ahead_ms), this.#now()));
  }

  asks(): Asked {
    return { sent_ms: runningTime_ms(), ahead_ms: this.#ahead_ms };
  }

  /** This is what a recorder has answered: its time. What was asked before a leap says nothing of what came after it. */
  learn({ sent_ms, ahead_ms }: Asked, theirs_ms: number): void {
    if (ahead_ms !== this.#ahead_ms) return;
    this.#offset.learn(sent_ms, runningTime_ms(), theirs_ms);
    this.#confirmed_ms = ahead_ms;
    this.#isConfirmed = this.#offset.get() !== null;
  }

  /** Notes what is new, if `next` is recorded now, and writes what is not written yet. */
  note(next: number): void {
    this.#notes = withNotes(this.#notes, toNote(this.#notes, this.from, next, this.#now()));
    if (!this.#isWriting && performance.now() >= this.#again_ms && this.#unwritten() !== undefined) void this.#write();
  }

  /** A segment has another number now, and keeps its time. */
  renumbered(from: number, to: number): void {
    this.#notes = withNotes(this.#notes, toNoteOfRenumbered(this.#notes, from, to, this.#now()));
  }

  /** When a segment was captured, by the recorders' clock: never later than now. */
  captured_ms({ seq, captured_ms, duration_ms }: { seq: number; captured_ms: number; duration_ms: number }): number {
    const now_ms = this.#offset.get() ?? 0;
    return Math.min(captured_ms + (offsetOf(this.#notes, seq) ?? now_ms), runningTime_ms() + now_ms - duration_ms);
  }

  #now(): ClockNow {
    return { ...this.#assumed(this.#ahead_ms), isConfirmed: this.#isConfirmed };
  }

  /** What our clock was when the device's was so far ahead. */
  #then(ahead_ms: number): ClockNow {
    const known = this.#before.filter((before) => before.offset_ms !== null && !hasLeapt(before.ahead_ms, ahead_ms)).at(-1);
    return known ? { ...known, isConfirmed: true } : this.#assumed(ahead_ms);
  }

  /** Until a recorder answers, it is assumed that the device slept. */
  #assumed(ahead_ms: number): ClockNow {
    const learned_ms = this.#offset.get();
    const offset_ms = learned_ms === null ? null : learned_ms + ahead_ms - this.#confirmed_ms;
    return { offset_ms, ahead_ms, isConfirmed: false };
  }

  #unwritten(): ClockNote | undefined {
    return this.#notes.find((note) => !this.#written.has(note));
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    try {
      for (let note = this.#unwritten(); note !== undefined; note = this.#unwritten()) {
        const { from } = note;
        const before = [...this.#written].find((other) => other.from === from && !this.#notes.includes(other)) ?? null;
        await this.spool.noteClock(note, before);
        this.#written.add(note);
        if (before !== null) this.#written.delete(before);
      }
      this.#isFailing = this.#goesWithout = false;
    } catch (error) {
      if (!this.#isFailing) console.warn("the clock is not noted", error);
      this.#goesWithout ||= this.#isFailing || error instanceof SpoolFull;
      this.#isFailing = true;
      this.#again_ms = performance.now() + AGAIN_MS;
    } finally {
      this.#isWriting = false;
      this.changed();
    }
  }
}
