/**
 * The page's end of the keeper.
 */
import type { SegmentReport } from "../uplink/status";
import type { Answer } from "./claims";
import type { Address, Footage, FromKeeper, KeeperStatus, NotAdopted, ToKeeper, WhyLost } from "./messages";

export interface KeeperEvents {
  status(status: KeeperStatus): void;
  kept(id: string, seq: number, bytes: number): void;
  lost(id: string, why: WhyLost): void;
  saved(name: string, file: Blob): void;
  /** Not everything is in the files; or there is none. */
  leftOut(segments: number): void;
  notSaved(): void;
  /** Another tab asks for it. */
  wanted(id: string): void;
  /** The worker itself has failed. */
  failed(): void;
}

export class Keeper {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "keeper" });
  readonly #adopting = new Map<string, (why: NotAdopted | null) => void>();
  /** The same may be asked for again before it is given. */
  readonly #giving = new Map<string, ((isGiven: boolean) => void)[]>();
  readonly #reporting = new Map<string, (segments: SegmentReport[]) => void>();
  #isDead = false;

  constructor(private readonly events: KeeperEvents) {
    this.#worker.addEventListener("message", ({ data }: MessageEvent<FromKeeper>) => this.#take(data));
    this.#worker.addEventListener("error", (event) => this.#fail(event.message));
    addEventListener("online", this.#online);
  }

  destroy(): void {
    removeEventListener("online", this.#online);
    this.#worker.terminate();
  }

  readonly #online = () => this.#post({ kind: "online" });

  /** Opens the spool of a broadcast, making it if there is none; why not, if that cannot be done. */
  adopt(address: Address): Promise<NotAdopted | null> {
    return new Promise((resolve) => {
      if (this.#isDead) return resolve({ kind: "dead" });
      this.#adopting.set(address.id, resolve);
      this.#post({ kind: "adopt", address });
    });
  }

  keep(id: string, footage: Footage): void {
    const buffers = [footage.bytes.buffer, ...(footage.init ? [footage.init.buffer] : [])];
    this.#worker.postMessage({ kind: "keep", id, footage } satisfies ToKeeper, buffers);
  }

  pause(id: string, on: boolean): void {
    this.#post({ kind: "mark", id, mark: "paused", on });
  }

  end(id: string): void {
    this.#post({ kind: "mark", id, mark: "ended", on: true });
  }

  /** There is a link to this broadcast: what is left of it may be sent with that. */
  know(address: Address): void {
    this.#post({ kind: "know", address });
  }

  /** Each segment that was recorded, with what became of it. */
  report(id: string): Promise<SegmentReport[]> {
    return new Promise((resolve) => {
      this.#reporting.set(id, resolve);
      this.#post({ kind: "report", id });
    });
  }

  /** Gives what is still here to the person, as files. */
  save(id: string): void {
    this.#post({ kind: "save", id });
  }

  /** Deletes a spool from this device, sent or not. */
  discard(id: string): void {
    this.#post({ kind: "discard", id });
  }

  /** Asks the tab that has it for it. */
  takeOver(id: string): void {
    this.#post({ kind: "take-over", id });
  }

  /** Gives it to the tab that asked for it; whether that has been done. */
  handOver(id: string): Promise<boolean> {
    return new Promise((given) => {
      if (this.#isDead) return given(false);
      this.#giving.set(id, [...(this.#giving.get(id) ?? []), given]);
      this.#post({ kind: "hand-over", id });
    });
  }

  #given(id: string, isGiven: boolean): void {
    const waiting = this.#giving.get(id) ?? [];
    this.#giving.delete(id);
    for (const given of waiting) given(isGiven);
  }

  /** Tells the tab that asked for it what is done instead. */
  answer(id: string, answer: Answer): void {
    this.#post({ kind: "answer", id, answer });
  }

  /** Whoever waits for the worker waits no longer. Without a message it has never started. */
  #fail(message: string): void {
    this.#isDead ||= message === "" || message === undefined;
    for (const adopted of this.#adopting.values()) adopted({ kind: "dead" });
    for (const reported of this.#reporting.values()) reported([]);
    for (const id of this.#giving.keys()) this.#given(id, false);
    this.#adopting.clear();
    this.#reporting.clear();
    console.error(message || "the keeper does not start");
    this.events.failed();
  }

  #post(message: ToKeeper): void {
    this.#worker.postMessage(message);
  }

  #take(message: FromKeeper): void {
    switch (message.kind) {
      case "adopted":
        return this.#adopting.get(message.id)?.(message.why);
      case "handed-over":
        return this.#given(message.id, message.isGiven);
      case "report":
        return this.#reporting.get(message.id)?.(message.segments);
      case "saved":
        return this.events.saved(message.name, message.file);
      case "left-out":
        return this.events.leftOut(message.segments);
      case "not-saved":
        return this.events.notSaved();
      case "kept":
        return this.events.kept(message.id, message.seq, message.bytes);
      case "lost":
        return this.events.lost(message.id, message.why);
      case "wanted":
        return this.events.wanted(message.id);
      case "status":
        return this.events.status(message.status);
    }
  }
}
