/**
 * One spool at work: it belongs to this tab, what is recorded goes into it one segment after the other, and an uplink
 * sends it.
 */
import { playable } from "../spool/listing";
import type { SegmentFile } from "../spool/names";
import { allSpools, Damaged, type Mark, removeSpool, Spool, SpoolFull } from "../spool/spool";
import { digestOf } from "../uplink/blake3";
import type { UplinkStatus } from "../uplink/status";
import { Uplink } from "../uplink/uplink";
import type { Address, Footage, WhyLost } from "./messages";

/** How long to wait before what could not be written is tried again. */
const ROOM_RETRY_MS = 1_000;
/** How long to wait before what cannot be read now is tried again, to be numbered anew; doubled each time, up to the longest. */
const RENUMBER_AGAIN_MS = 5_000;
const RENUMBER_AGAIN_MS_MAX = 60_000;
/** The most footage that waits in memory to be written. */
const WAITING_BYTES_MAX = 64 << 20;

export { allSpools, removeSpool };

/** What a held spool tells its keeper. */
export interface Events {
  kept(seq: number, bytes: number): void;
  /** What was recorded is gone. */
  lost(why: WhyLost): void;
}

export class Held {
  readonly uplink: Uplink;
  #writing: Promise<void> = Promise.resolve();
  #waitingBytes = 0;
  #waiting_ms = 0;
  /** The number of the next segment, once one was recorded. */
  #next = 0;
  /** What a write failed of last. */
  #detail = "";
  /** Why nothing can be written now. */
  #heldUp: "full" | "failing" | null = null;
  #destroyed: Promise<void> | null = null;
  #isDiscarded = false;
  #isHandedOver = false;

  private constructor(
    readonly spool: Spool,
    keepBytes: () => number,
    private readonly events: Events,
  ) {
    this.uplink = new Uplink(spool, keepBytes, (segment) => this.#renumber(segment));
  }

  /** Opens the spool of a broadcast that this tab holds; `null` if nothing is known of it. */
  static async open(id: string, address: Address | null, keepBytes: () => number, events: Events): Promise<Held | null> {
    const spool = await Spool.open(id, address);
    return spool && new Held(spool, keepBytes, events);
  }

  /** Footage that is in memory only. */
  get waitingBytes(): number {
    return this.isHeldUp ? this.#waitingBytes : 0;
  }

  status(): UplinkStatus {
    return { ...this.uplink.status(), unwritten_ms: this.isHeldUp ? this.#waiting_ms : 0 };
  }

  /** Whether what was recorded cannot be written at the moment. */
  get isHeldUp(): boolean {
    return this.#heldUp !== null;
  }

  /** Whether writing fails, though not for want of room. */
  get isFailing(): boolean {
    return this.#heldUp === "failing";
  }

  /** It is known better how to reach the broadcast, perhaps. Which token is right, the other side says. */
  async readdress(address: Address): Promise<void> {
    const before = this.spool.about;
    // Not after what waits to be written: sending may be what makes room for that.
    const written = this.spool.readdress(address);
    const { offered, server } = this.spool.about;
    if (offered !== before.offered || server !== before.server) this.uplink.readdressed();
    await written.catch((error: unknown) => console.warn("what is known is not written down", error));
  }

  /** Makes it durable, after all that came before. */
  keep(footage: Footage): void {
    const { length } = footage.bytes;
    if (this.#waitingBytes + length > WAITING_BYTES_MAX) {
      this.events.lost(this.#heldUp === "failing" ? { kind: "failed" } : { kind: "no-room" });
      return;
    }
    this.#waitingBytes += length;
    this.#waiting_ms += footage.duration_ms;
    void this.#then("recording", async () => {
      try {
        await this.#keep(footage);
      } finally {
        this.#waitingBytes -= length;
        this.#waiting_ms -= footage.duration_ms;
      }
    });
  }

  async #keep({ bytes, captured_ms, ahead_ms, duration_ms, container, init }: Footage): Promise<void> {
    const kept = init && (await this.#untilWritten(() => this.spool.keepInit(init)));
    const segment = {
      seq: await this.#number(),
      captured_ms: Math.round(captured_ms),
      duration_ms: Math.round(duration_ms),
      bytes: bytes.length,
      digest: digestOf(bytes),
      container,
      init: kept && kept.digest,
    };
    if (kept?.isWritten) this.uplink.initWritten(kept.digest);
    await this.#untilWritten(() => this.spool.keep(segment, bytes));
    this.#next = segment.seq + 1;
    this.uplink.recorded(segment, ahead_ms);
    this.events.kept(segment.seq, segment.bytes);
  }

  /** The next one that nobody has, as far as is known. What is left out between is noted before it is used. */
  async #number(): Promise<number> {
    const own = Math.max(this.#next, this.uplink.ownNext());
    const seq = Math.max(own, this.uplink.next());
    if (seq > own) await this.#untilWritten(() => this.spool.noteOthers([own, seq - 1]));
    return seq;
  }

  /** Gives it a number that nobody has. Should this break off, the next start finds it twice, and drops the old one. */
  #renumber(taken: SegmentFile, again_ms = RENUMBER_AGAIN_MS): void {
    void this.#then("noting", async () => {
      const bytes = await this.spool.read(taken).catch((error: unknown) => {
        const isDamaged = error instanceof Damaged;
        this.uplink.notRenumbered(taken.seq, isDamaged);
        if (!isDamaged) setTimeout(() => this.#renumberAgain(taken, again_ms), again_ms);
        throw error;
      });
      await this.#untilWritten(() => this.spool.noteOthers([taken.seq, taken.seq]));
      const segment = { ...taken, seq: await this.#number() };
      await this.#untilWritten(() => this.spool.keep(segment, bytes));
      this.#next = segment.seq + 1;
      this.uplink.renumbered(taken.seq, segment);
      await this.spool.forget(taken).catch((error: unknown) => console.warn(`segment ${taken.seq} is here twice`, error));
    });
  }

  #renumberAgain(taken: SegmentFile, waited_ms: number): void {
    if (!this.isGone) this.#renumber(taken, Math.min(2 * waited_ms, RENUMBER_AGAIN_MS_MAX));
  }

  /**
   * Tries until it is written, whatever fails: what is safe is deleted meanwhile, what is sent becomes safe, and a disk
   * may come to itself. What may wait here is bounded by `WAITING_BYTES_MAX`.
   */
  async #untilWritten<T>(write: () => Promise<T>): Promise<T> {
    for (;;) {
      if (this.#destroyed) throw new Error("the spool was deleted");
      if (this.#isHandedOver) throw new Error("the spool was handed over");
      try {
        const written = await write();
        this.#heldUp = null;
        return written;
      } catch (error) {
        this.#heldUp = error instanceof SpoolFull ? "full" : "failing";
        if (this.#detail !== String(error)) console.warn(`cannot write to the spool ${this.spool.about.id}`, error);
        this.#detail = String(error);
        await new Promise((resolve) => setTimeout(resolve, ROOM_RETRY_MS));
      }
    }
  }

  /** Notes what the publisher says, after all that was recorded before. */
  mark(mark: Mark, on: boolean): void {
    if (!on) return void this.#unmark(mark);
    void this.#then("noting", async () => {
      await this.#untilWritten(() => this.spool.mark(mark));
      this.uplink.said();
    });
  }

  #unmark(mark: Mark): Promise<void> {
    return this.#then("noting", async () => {
      await this.spool.unmark(mark);
      this.uplink.said();
    });
  }

  /** What is still here, as files that can be played, and how many segments are in none of them. */
  async save(): Promise<{ files: Blob[]; left: number }> {
    const joined = await Promise.all(playable(this.uplink.here()).map((segments) => this.spool.joined(segments)));
    return { files: joined.flatMap(({ file }) => file ?? []), left: joined.reduce((sum, { left }) => sum + left, 0) };
  }

  /** Deletes all of it, whether it is sent or not. */
  async discard(): Promise<void> {
    this.#isDiscarded = true;
    this.uplink.destroy();
    await this.destroy();
  }

  /** Waits until all is durable that was recorded or said so far, for as long as the disk takes. */
  async written(): Promise<void> {
    let seen: Promise<void>;
    do {
      seen = this.#writing;
      await seen;
    } while (seen !== this.#writing);
  }

  /** Another tab takes over: from then on nothing is written, sent or deleted here. */
  async handOver(): Promise<void> {
    this.#isHandedOver = true;
    this.uplink.destroy();
    await Promise.allSettled([this.#writing, this.#destroyed]);
    await this.spool.close();
  }

  /** Whether it is done or discarded, and so deleted, or about to be; or another tab's. */
  get isGone(): boolean {
    return this.#isDiscarded || this.#isHandedOver || this.#destroyed !== null || this.uplink.isDone;
  }

  /** Deletes a spool that is done. What is known of it stays, to be shown. */
  destroy(): Promise<void> {
    // What fails may be asked for again.
    this.#destroyed ??= this.spool.destroy().catch((error: unknown) => {
      this.#destroyed = null;
      throw error;
    });
    return this.#destroyed;
  }

  /** It is recorded to again: an end that was said before is not the last word any more. */
  begin(): void {
    // At once: it might become done meanwhile.
    if (this.spool.is("ended")) void this.spool.unmark("ended");
    else void this.#unmark("ended");
  }

  /** One thing after the other. Footage is lost only where it is that which fails. */
  #then(what: "recording" | "noting", work: () => Promise<void>): Promise<void> {
    this.#writing = this.#writing.then(work).catch((error: unknown) => {
      // Nobody wants any more what was deleted, and another tab does what is still to be done.
      if (this.#isDiscarded || (this.#isHandedOver && what === "noting")) return;
      console.error(error);
      if (what === "recording") this.events.lost({ kind: "failed" });
    });
    return this.#writing;
  }
}
