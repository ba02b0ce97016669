/**
 * One spool at work: it belongs to this tab, what is recorded goes into it one segment after the other, and an uplink
 * sends it.
 */
import type { SegmentFile } from "../spool/names";
import { allSpools, type Mark, Spool, SpoolFull } from "../spool/spool";
import { digestOf } from "../uplink/blake3";
import { Uplink } from "../uplink/uplink";
import type { Address, Footage } from "./messages";

/** How long to wait for room. */
const ROOM_RETRY_MS = 1_000;
/** The most footage that waits in memory for room. */
const WAITING_BYTES_MAX = 64 << 20;

export { allSpools };

/** Takes a spool for this tab, as long as it runs; `null` while another one has it. */
export async function hold(id: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const take = (lock: Lock | null) => {
      resolve(lock !== null);
      // Held until this worker ends.
      return lock === null ? undefined : new Promise<void>(() => undefined);
    };
    navigator.locks.request(lockName(id), { ifAvailable: true }, take).catch(reject);
  });
}

/** Waits until the other tab lets go of a spool, and takes it. */
export async function holdLater(id: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const take = () => {
      resolve();
      return new Promise<void>(() => undefined);
    };
    navigator.locks.request(lockName(id), take).catch(reject);
  });
}

function lockName(id: string): string {
  return `headwater-spool-${id}`;
}

/** What a held spool tells its keeper. */
export interface Events {
  kept(seq: number, bytes: number): void;
  lost(why: string): void;
}

export class Held {
  readonly uplink: Uplink;
  #writing: Promise<void> = Promise.resolve();
  #waitingBytes = 0;
  /** The number of the next segment, once one was recorded. */
  #next = 0;
  #isFull = false;
  #isDestroyed = false;

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
    return this.#isFull ? this.#waitingBytes : 0;
  }

  /** Makes it durable, after all that came before. */
  keep(footage: Footage): void {
    const { length } = footage.bytes;
    if (this.#waitingBytes + length > WAITING_BYTES_MAX) {
      this.events.lost("there is no room for it on this device");
      return;
    }
    this.#waitingBytes += length;
    this.#then(async () => {
      try {
        await this.#keep(footage);
      } finally {
        this.#waitingBytes -= length;
      }
    });
  }

  async #keep({ bytes, captured_ms, duration_ms, container, init }: Footage): Promise<void> {
    const initDigest = init && (await this.#withRoom(() => this.spool.keepInit(init)));
    const segment = {
      seq: this.#number(),
      captured_ms: Math.round(captured_ms),
      duration_ms: Math.round(duration_ms),
      bytes: bytes.length,
      digest: digestOf(bytes),
      container,
      init: initDigest,
    };
    await this.#withRoom(() => this.spool.keep(segment, bytes));
    this.#next = segment.seq + 1;
    this.uplink.recorded(segment);
    this.events.kept(segment.seq, segment.bytes);
  }

  #number(): number {
    return Math.max(this.#next, this.uplink.next());
  }

  /** Gives it a number that nobody has. Should this break off, the next start finds it twice, and drops the old one. */
  #renumber(taken: SegmentFile): void {
    this.#then(async () => {
      const segment = { ...taken, seq: this.#number() };
      const bytes = await this.spool.read(taken);
      await this.#withRoom(() => this.spool.keep(segment, bytes));
      this.#next = segment.seq + 1;
      await this.spool.forget(taken);
      this.uplink.renumbered(taken.seq, segment);
    });
  }

  /** Tries until there is room: what is safe is deleted meanwhile, and what is sent becomes safe. */
  async #withRoom<T>(write: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const written = await write();
        this.#isFull = false;
        return written;
      } catch (error) {
        if (!(error instanceof SpoolFull)) throw error;
        this.#isFull = true;
        await new Promise((resolve) => setTimeout(resolve, ROOM_RETRY_MS));
      }
    }
  }

  /** Notes what the publisher says, after all that was recorded before. */
  mark(mark: Mark, on: boolean): void {
    this.#then(async () => {
      await (on ? this.spool.mark(mark) : this.spool.unmark(mark));
      this.uplink.said();
    });
  }

  /** What is still here, as one file. */
  save(): Promise<Blob> {
    return this.spool.joined(this.uplink.here());
  }

  /** Deletes a spool that is done. What is known of it stays, to be shown. */
  async destroy(): Promise<void> {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    await this.spool.destroy();
  }

  #then(work: () => Promise<void>): void {
    this.#writing = this.#writing.then(work).catch((error: unknown) => {
      console.error(error);
      this.events.lost(error instanceof Error ? error.message : String(error));
    });
  }
}
