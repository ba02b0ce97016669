/**
 * Lets the publish page open without a network: what an earlier visit recorded can be seen, and a broadcast goes on.
 * Nothing else of the origin is touched.
 */

const CACHE = "publish-1";
/** What the version before needed and this one does not: a page that was open then goes on with it. */
const BEFORE = "publish-before";
/** The page, and what it needs: filled in by the build, since the names are digests. */
const FILES: readonly string[] = ["__PUBLISH_FILES__"];
/** How long the server may take to answer before what is kept is shown. */
const ANSWER_MS_MAX = 3_000;

interface Scope {
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  addEventListener(type: string, listener: (event: Life) => void): void;
}

interface Life {
  request: Request;
  waitUntil(work: Promise<unknown>): void;
  respondWith(answer: Promise<Response>): void;
}

export {};

const scope = globalThis as unknown as Scope;

scope.addEventListener("install", (event) => event.waitUntil(install()));
scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));
scope.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin) return;
  if (pathname === "/publish") event.respondWith(page(event.request));
  // Which of those with a digest in their names a page from before needs is known to its cache only.
  else if (FILES.includes(pathname) || pathname.startsWith("/assets/")) event.respondWith(kept(event.request));
});

async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  const keys = await cache.keys();
  await cache.addAll(["/publish", ...FILES.filter((file) => !keys.some((key) => new URL(key.url).pathname === file))]);
  const old = keys.filter((key) => !["/publish", ...FILES].includes(new URL(key.url).pathname));
  await caches.delete(BEFORE);
  const before = await caches.open(BEFORE);
  await Promise.all(old.map((key) => move(key, cache, before)));
  await scope.skipWaiting();
}

async function move(key: Request, from: Cache, to: Cache): Promise<void> {
  const file = await from.match(key);
  if (file) await to.put(key, file);
  await from.delete(key);
}

/** The newest page; without a network, or with a slow one, the one that is kept. */
async function page(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    if (answer.ok) return answer;
  } catch {
    // No network, or none that answers.
  }
  return (await cache.match("/publish")) ?? Response.error();
}

/** Files that are named by their content are the same for ever; the others are small. */
async function kept(request: Request): Promise<Response> {
  for (const name of [CACHE, BEFORE]) {
    const file = await caches.match(request, { cacheName: name });
    if (file) return file;
  }
  return fetch(request);
}
