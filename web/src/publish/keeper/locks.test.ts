/** Two tabs that wait for what a third one has. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";

type Take = (lock: object | null) => Promise<void> | undefined;

/** Locks as a browser has them, for all tabs: in the order in which they are asked for. */
class FakeLocks {
  #held: object | null = null;
  #waiting: { take: Take; done: (taken: Promise<void> | undefined) => void }[] = [];

  get waiting(): number {
    return this.#waiting.length;
  }

  request(_: string, { ifAvailable = false, signal }: { ifAvailable?: boolean; signal?: AbortSignal }, take: Take): Promise<void> {
    if (ifAvailable && this.#held !== null) return Promise.resolve(take(null));
    return new Promise((done, refuse) => {
      const waiting = { take, done };
      this.#waiting.push(waiting);
      signal?.addEventListener("abort", () => {
        if (!this.#waiting.includes(waiting)) return;
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        refuse(new DOMException("aborted", "AbortError"));
      });
      this.#next();
    });
  }

  #next(): void {
    const [first] = this.#waiting;
    if (this.#held !== null || first === undefined) return;
    this.#waiting.shift();
    this.#held = {};
    const taken = first.take(this.#held);
    first.done(taken);
    void taken?.then(() => {
      this.#held = null;
      this.#next();
    });
  }
}

/** Each tab has this module for itself. */
async function tab() {
  vi.resetModules();
  return import("./locks");
}

let locks = new FakeLocks();
beforeEach(() => {
  locks = new FakeLocks();
  vi.stubGlobal("navigator", { locks });
});
afterEach(() => void vi.unstubAllGlobals());

it("gives what a tab lets go of to the one that has waited longest, but for who lets another go before", async () => {
  const [first, second, third] = [await tab(), await tab(), await tab()];
  expect([await first.hold("a"), await second.hold("a")]).toEqual([true, false]);
  const got: string[] = [];
  const later = (who: string, { holdLater }: typeof first) => holdLater("a").then(() => got.push(who));
  void later("second", second);
  void later("third", third);
  second.goBehind("a");
  await vi.waitFor(() => expect(locks.waiting).toBe(2));
  first.letGo("a");
  void later("first", first);
  await vi.waitFor(() => expect(got).toEqual(["third"]));
  third.letGo("a");
  await vi.waitFor(() => expect(got).toEqual(["third", "second"]));
  // Whoever has it goes behind nobody.
  second.goBehind("a");
  second.letGo("a");
  await vi.waitFor(() => expect(got).toEqual(["third", "second", "first"]));
});
