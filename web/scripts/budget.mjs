// Fails if a page with a player is heavier than it may be: everything that it loads to play, together, by gzip.
// usage: node scripts/budget.mjs [--files]   (after `vite build`)
import { readFileSync, readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BYTES_MAX = 250_000;
/** Loaded only where they are wanted: other engines, and the full hls.js for sound or captions in playlists of their own. */
const OPTIONAL = /^(?:shaka|native)|^hls-.{8}\.js$/;

const dist = new URL("../dist/", import.meta.url);
const assets = new Set(readdirSync(new URL("assets/", dist)));

/** A page and every asset that is named in it, or in an asset that is. */
function filesOf(page) {
  const files = new Set([page]);
  for (const path of files) {
    const text = readFileSync(new URL(path, dist), "utf8");
    for (const [name] of text.matchAll(/[\w.-]+\.(?:js|css|svg)\b/g)) {
      if (assets.has(name) && !OPTIONAL.test(name)) files.add(`assets/${name}`);
    }
  }
  return [...files];
}

let isTooMuch = false;
for (const page of ["watch.html", "embed.html"]) {
  const sizes = filesOf(page).map((path) => [path, gzipSync(readFileSync(new URL(path, dist))).length]);
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  isTooMuch ||= total > BYTES_MAX;
  console.log(`${page}: ${total} bytes by gzip, of ${BYTES_MAX}`);
  if (total > BYTES_MAX || process.argv.includes("--files")) {
    for (const [path, size] of sizes.sort((a, b) => b[1] - a[1])) console.log(`${String(size).padStart(9)}  ${path}`);
  }
  // A check that finds nothing has looked in the wrong place.
  if (!sizes.some(([path]) => path.includes("hls.light"))) throw new Error(`${page} loads no hls.js`);
}
if (isTooMuch) {
  console.error("a page with a player is heavier than it may be");
  process.exit(1);
}
