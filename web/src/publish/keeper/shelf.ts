/**
 * The spools of this origin: which of them this tab has, which another one has, and which cannot be read. One that cannot
 * be opened never keeps the others from being sent.
 */
import type { Address, NotAdopted } from "./messages";

/** What is done with a spool that is open. */
export interface Opened {
  /** It is known better how to reach its broadcast. */
  readdress(address: Address): Promise<void>;
  /** Deletes all of it. */
  discard(): Promise<void>;
  /** Waits until all is durable that was recorded or said so far, for as long as the disk takes. */
  written(): Promise<void>;
  /** Does nothing more with it. */
  handOver(): Promise<void>;
  /** Whether it is done, and so deleted, or about to be. */
  readonly isGone: boolean;
  /** Deletes one that is done; at once, if it is deleted already. */
  destroy(): Promise<void>;
  /** It is recorded to, perhaps again. */
  begin(): void;
}

export interface ShelfDoes<S extends Opened> {
  all(): Promise<string[]>;
  /** Takes a spool for this tab; whether no other has it. */
  hold(id: string): Promise<boolean>;
  /** The same, as soon as the other one lets go of it. */
  holdLater(id: string): Promise<void>;
  letGo(id: string): void;
  /** `null` if there is nothing in it, nor known of it. */
  open(id: string, address: Address | null): Promise<S | null>;
  /** Deletes one that cannot be opened. */
  remove(id: string): Promise<void>;
}

export class Shelf<S extends Opened> {
  readonly spools = new Map<string, S>();
  /** Another tab works on these. */
  readonly held = new Set<string>();
  /** Those of them that were ours. */
  readonly handedOver = new Set<string>();
  /** Another tab gets these as soon as all is written. */
  readonly leaving = new Map<string, Promise<boolean>>();
  /** These cannot be opened. */
  readonly unreadable = new Set<string>();
  readonly #ours = new Set<string>();
  /** For these it is waited until another tab lets go of them, whether anything is left in them or not. */
  readonly #awaited = new Set<string>();
  /** One thing after the other, whichever spool it is of: nothing may wait in here for as long as a disk takes. */
  #doing: Promise<void>;

  /** What earlier visits left is taken up before anything else. */
  constructor(private readonly does: ShelfDoes<S>) {
    this.#doing = this.#takeUpAll();
  }

  /** Opens the spool of a broadcast, making it if there is none; why not, if that cannot be done. */
  adopt(address: Address): Promise<NotAdopted | null> {
    return this.#then(async () => {
      const { id } = address;
      try {
        if (this.leaving.has(id) || !(await this.#hold(id))) {
          await this.#takeUp(id);
          return { kind: "held" };
        }
        const given = address.token === "" ? null : address;
        await this.#openOrReaddress(id, given);
        this.spools.get(id)?.begin();
        // It may have become done just now.
        if (this.spools.get(id)?.isGone) await this.#openOrReaddress(id, given);
        return this.spools.has(id) ? null : { kind: "unreadable" };
      } catch (error) {
        console.error(`cannot take the spool ${id}`, error);
        return { kind: "unreadable" };
      }
    });
  }

  /** Somebody has a link to a broadcast: what is left of it may be sent with that. */
  know(address: Address): Promise<void> {
    return this.#then(async () => {
      const spool = this.spools.get(address.id);
      const isHere = spool ? !spool.isGone : this.unreadable.has(address.id);
      if (isHere) await this.#openOrReaddress(address.id, address);
    });
  }

  /** Deletes what this tab has of a broadcast. */
  discard(id: string): Promise<void> {
    return this.#then(async () => {
      const spool = this.spools.get(id);
      if (spool) await spool.discard();
      else if (this.unreadable.has(id)) await this.does.remove(id);
      this.spools.delete(id);
      this.unreadable.delete(id);
    });
  }

  /** Whether this tab has it. */
  has(id: string): boolean {
    return this.#ours.has(id);
  }

  /** Another tab takes it over, and this one waits until that lets go of it; `false` if this one does not have it. */
  handOver(id: string): Promise<boolean> {
    const leaving = this.leaving.get(id) ?? this.#handOver(id).finally(() => this.leaving.delete(id));
    this.leaving.set(id, leaving);
    return leaving;
  }

  async #handOver(id: string): Promise<boolean> {
    // What is deleted meanwhile may be what makes room for it.
    await this.spools.get(id)?.written();
    return this.#then(async () => {
      if (!this.#ours.has(id)) return false;
      await this.#letGo(id);
      return true;
    });
  }

  async #letGo(id: string): Promise<void> {
    await this.spools.get(id)?.handOver();
    this.spools.delete(id);
    this.unreadable.delete(id);
    this.#ours.delete(id);
    this.handedOver.add(id);
    this.does.letGo(id);
    this.#await(id);
  }

  /** What a spool could not be opened for may have passed, and another tab may have begun one, or be done with it. */
  openAgain(): Promise<void> {
    return this.#then(() => this.#takeUpAll());
  }

  async #openOrReaddress(id: string, address: Address | null): Promise<void> {
    const spool = this.spools.get(id);
    if (spool && !spool.isGone) return address ? spool.readdress(address) : undefined;
    // What is done has no place any more where anything could be kept.
    if (spool) await spool.destroy();
    this.spools.delete(id);
    await this.#open(id, address);
  }

  async #open(id: string, address: Address | null): Promise<void> {
    try {
      const spool = await this.does.open(id, address);
      if (spool) this.spools.set(id, spool);
      this.unreadable.delete(id);
    } catch (error) {
      if (!this.unreadable.has(id)) console.error(`cannot open the spool ${id}`, error);
      this.unreadable.add(id);
    }
  }

  async #hold(id: string): Promise<boolean> {
    if (this.#ours.has(id)) return true;
    const isOurs = await this.does.hold(id);
    if (isOurs) this.#ours.add(id);
    return isOurs;
  }

  /** What earlier visits left is sent by itself; what another tab works on, once that is closed. */
  async #takeUpAll(): Promise<void> {
    try {
      const ids = await this.does.all();
      for (const known of [this.held, this.unreadable]) for (const id of known) if (!ids.includes(id)) known.delete(id);
      for (const id of ids) await this.#takeUp(id);
    } catch (error) {
      console.error("cannot list the spools", error);
    }
  }

  async #takeUp(id: string): Promise<void> {
    if (this.#awaited.has(id)) return void this.held.add(id);
    if (this.spools.has(id)) return;
    const isOurs = await this.#hold(id).catch(() => false);
    if (isOurs) await this.#open(id, null);
    else this.#await(id);
  }

  #await(id: string): void {
    this.#takeUpLater(id).catch((error: unknown) => console.error(`cannot take up the spool ${id}`, error));
  }

  async #takeUpLater(id: string): Promise<void> {
    this.held.add(id);
    this.#awaited.add(id);
    try {
      await this.does.holdLater(id);
      this.#ours.add(id);
    } catch (error) {
      this.#noMoreElsewhere(id);
      throw error;
    } finally {
      this.#awaited.delete(id);
    }
    await this.#then(async () => {
      try {
        // The other tab may have sent all of it.
        if ((await this.does.all()).includes(id)) await this.#takeUp(id);
      } finally {
        this.#noMoreElsewhere(id);
      }
    });
  }

  #noMoreElsewhere(id: string): void {
    this.held.delete(id);
    this.handedOver.delete(id);
  }

  #then<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#doing.then(work);
    this.#doing = done.then(() => undefined, (error: unknown) => console.error(error));
    return done;
  }
}
