/** Versions of the publish page that follow each other, while a page of an earlier one is open. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";

const ORIGIN = "http://r";

/** As much of a cache as is used here. */
class FakeCache {
  readonly files = new Map<string, string>();

  #path(of: string | { url: string }): string {
    return new URL(typeof of === "string" ? of : of.url, ORIGIN).pathname;
  }

  async addAll(paths: string[]) {
    for (const path of paths) this.files.set(this.#path(path), "new");
  }
  async keys() {
    return [...this.files.keys()].map((path) => ({ url: ORIGIN + path }));
  }
  async match(of: string | { url: string }) {
    return this.files.get(this.#path(of));
  }
  async put(of: { url: string }, file: string) {
    this.files.set(this.#path(of), file);
  }
  async delete(of: { url: string }) {
    return this.files.delete(this.#path(of));
  }
}

let kept: Map<string, FakeCache>;
let listeners: Map<string, (event: object) => void>;

beforeEach(async () => {
  kept = new Map();
  listeners = new Map();
  const caches = {
    open: async (name: string) => {
      if (!kept.has(name)) kept.set(name, new FakeCache());
      return kept.get(name);
    },
    delete: async (name: string) => kept.delete(name),
    match: async (of: { url: string }, { cacheName }: { cacheName: string }) => kept.get(cacheName)?.match(of),
  };
  vi.stubGlobal("caches", caches);
  vi.stubGlobal("location", { origin: ORIGIN });
  vi.stubGlobal("addEventListener", (type: string, listener: (event: object) => void) => listeners.set(type, listener));
  vi.stubGlobal("skipWaiting", async () => undefined);
  vi.stubGlobal("fetch", async () => "of the server");
  vi.resetModules();
  await import("./service-worker");
});
afterEach(() => vi.unstubAllGlobals());

/** Another version takes over from one that needed these files. */
async function renew(...files: string[]): Promise<void> {
  const cache = kept.get("publish-1") ?? new FakeCache();
  kept.set("publish-1", cache);
  for (const file of files) cache.files.set(file, "old");
  await new Promise<unknown>((resolve) => listeners.get("install")!({ waitUntil: (work: Promise<void>) => resolve(work) }));
}

/** What a page gets at an address; null if that is left alone. */
async function get(path: string): Promise<unknown> {
  let answer: Promise<unknown> | null = null;
  const request = { url: ORIGIN + path, method: "GET" };
  listeners.get("fetch")!({ request, respondWith: (given: Promise<unknown>) => (answer = given) });
  return answer;
}

test("a page of the version before has its files, until there is another version", async () => {
  await renew("/publish", "/assets/muxer-1.js");
  expect(await get("/assets/muxer-1.js")).toBe("old");
  expect([...kept.get("publish-1")!.files.keys()]).not.toContain("/assets/muxer-1.js");
  await renew("/assets/muxer-2.js");
  expect([await get("/assets/muxer-1.js"), await get("/assets/muxer-2.js")]).toEqual(["of the server", "old"]);
});

test("what is of no version of the page comes from the server, and what has no digest is left alone", async () => {
  await renew("/publish");
  expect([await get("/assets/watch-1.js"), await get("/hls/b/index.m3u8")]).toEqual(["of the server", null]);
});
