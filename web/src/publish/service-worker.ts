/**
 * Lets the publish page open without a network: what an earlier visit recorded can be seen, and a broadcast goes on.
 * Nothing else of the origin is touched.
 */

const CACHE = "publish-1";
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
  else if (FILES.includes(pathname)) event.respondWith(kept(event.request));
});

async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  const keys = await cache.keys();
  await cache.addAll(["/publish", ...FILES.filter((file) => !keys.some((key) => new URL(key.url).pathname === file))]);
  // What earlier versions needed may go.
  const old = keys.filter((key) => !["/publish", ...FILES].includes(new URL(key.url).pathname));
  await Promise.all(old.map((key) => cache.delete(key)));
  await scope.skipWaiting();
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
  const cache = await caches.open(CACHE);
  return (await cache.match(request)) ?? fetch(request);
}
