/** Two tabs that wait for what a third one has. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";

type Take = (lock: object | null) => Promise<void> | undefined;

interface Waiting {
  name: string;
  take: Take;
  done: (taken: Promise<void> | undefined) => void;
}

/** Locks as a browser has them, for all tabs: each in the order in which it is asked for. */
class FakeLocks {
  readonly #held = new Set<string>();
  #waiting: Waiting[] = [];

  async query(): Promise<{ pending: { name: string }[] }> {
    return { pending: this.#waiting.map(({ name }) => ({ name })) };
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  request(name: string, { ifAvailable = false, signal }: { ifAvailable?: boolean; signal?: AbortSignal }, take: Take): Promise<void> {
    if (ifAvailable && this.#held.has(name)) return Promise.resolve(take(null));
    return new Promise((done, refuse) => {
      const waiting = { name, take, done };
      this.#waiting.push(waiting);
      signal?.addEventListener("abort", () => {
        if (!this.#waiting.includes(waiting)) return;
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        refuse(new DOMException("aborted", "AbortError"));
      });
      this.#next(name);
    });
  }

  #next(name: string): void {
    const first = this.#waiting.find((waiting) => waiting.name === name);
    if (this.#held.has(name) || first === undefined) return;
    this.#waiting = this.#waiting.filter((other) => other !== first);
    this.#held.add(name);
    const taken = first.take({});
    first.done(taken);
    void taken?.then(() => {
      this.#held.delete(name);
      this.#next(name);
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

it("knows of each by itself whether a tab has it, and whether one waits for it", async () => {
  const [first, second] = [await tab(), await tab()];
  expect([await first.hold("a"), await second.hold("b"), await second.hold("a")]).toEqual([true, true, false]);
  expect([await first.isAwaited("a"), await first.isAwaited("b")]).toEqual([false, false]);
  const later = second.holdLater("a");
  expect([await first.isAwaited("a"), await first.isAwaited("b")]).toEqual([true, false]);
  first.letGo("a");
  await later;
  expect([await first.isAwaited("a"), await first.hold("a"), await first.hold("b")]).toEqual([false, false, false]);
});
