// Plays a broadcast with the player as a module (web/dist/player) on a page of another origin.
// usage: node web-module.mjs CHROMIUM MULTIVARIANT_URL   ->  JSON: how two players were, and what they left behind
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { withPage } from "./chromium.mjs";
import { SEEN_MS_MAX } from "./viewer.mjs";

const [executablePath, source] = process.argv.slice(2);
const folder = fileURLToPath(new URL("../../web/dist/player/", import.meta.url));
const { main, exports } = JSON.parse(readFileSync(`${folder}package.json`, "utf8"));
const TYPES = { ".js": "text/javascript", ".css": "text/css" };

/** A site that asks for no inline style and no inline script. */
const POLICY = "default-src 'self'; connect-src *; media-src blob: data:; worker-src 'self' blob:";
const PAGE = `<!doctype html><html lang="en"><title>A site</title><link rel="icon" href="/icon.svg">
<link rel="stylesheet" href="${exports["./player.css"]}"><main><div id="first"></div><div id="second"></div></main>
<script type="module" src="/site.js"></script>`;
const SITE = `import { createPlayer } from "${main}";
const source = ${JSON.stringify(source)};
const place = (id) => document.getElementById(id);
window.players = {
  first: createPlayer(place("first"), { source, language: "ru", muted: true }),
  second: createPlayer(place("second"), { source, view: "live", muted: true }),
};`;

function answer({ url }, response) {
  const file = `${folder}${url.slice(1)}`;
  if (url === "/") response.setHeader("content-security-policy", POLICY);
  const body = url === "/" ? PAGE : url === "/site.js" ? SITE : url === "/icon.svg" ? "<svg xmlns='http://www.w3.org/2000/svg'/>" : null;
  response.setHeader("content-type", url === "/" ? "text/html" : url === "/icon.svg" ? "image/svg+xml" : (TYPES[extname(url)] ?? "text/plain"));
  if (body === null && !existsSync(file)) response.statusCode = 404;
  response.end(body ?? (existsSync(file) ? readFileSync(file) : ""));
}

const server = createServer(answer);
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
try {
  const seen = await withPage(executablePath, async (page) => {
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const play = () => Object.values(window.players ?? {}).filter(({ state, video }) => state.isPlaying && video.currentTime > 2).length === 2;
    await page.waitForFunction(play, null, { timeout: SEEN_MS_MAX });
    const states = await page.evaluate(() => ({ first: window.players.first.state, second: window.players.second.state }));
    return page.evaluate((found) => {
      let listening = false;
      window.players.first.onState(() => (listening = true));
      for (const player of Object.values(window.players)) player.destroy();
      window.players.first.video.dispatchEvent(new Event("volumechange"));
      return { ...found, left: document.querySelectorAll(".hw-player").length, listening };
    }, states);
  });
  console.log(JSON.stringify(seen));
} finally {
  server.closeAllConnections();
  server.close();
}
