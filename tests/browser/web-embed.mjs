// Plays a broadcast in a frame of a site on another origin, and speaks with it as docs/embedding.md has it.
// The test that started it breaks what is to break when it reads how far this is.
// usage: node web-embed.mjs CHROMIUM EMBED_URL SCENARIO   ->  lines "step NAME FACTS", then JSON: what the site heard
import { createServer } from "node:http";
import { violations } from "./axe.mjs";
import { withPage } from "./chromium.mjs";
import { SEEN_MS_MAX, Viewer, step } from "./viewer.mjs";

const [executablePath, embedUrl, scenario] = process.argv.slice(2);

/** A site with the player in it. What the player says is kept in `window.heard`. */
const SITE = `<!doctype html><html lang="en"><title>A site</title><link rel="icon" href="data:,">
<main><h1>A site</h1><iframe title="Video" src="${embedUrl}" width="640" height="200" allow="autoplay; fullscreen; picture-in-picture; clipboard-write; web-share"></iframe></main>
<script>
  window.heard = [];
  const frame = document.querySelector("iframe");
  addEventListener("message", ({ source, origin, data }) => {
    if (source !== frame.contentWindow || data?.headwater !== 1) return;
    window.heard.push({ origin, ...data });
    if (data.event === "height") frame.height = data.height;
  });
  window.say = (message) => frame.contentWindow.postMessage({ headwater: 1, ...message }, "*");
</script>`;

function listen() {
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end(SITE);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** Waits until the site has heard what satisfies `holds`, whose text runs in the page. */
function heard(page, holds) {
  return page.waitForFunction(`window.heard.find(${holds}) ?? null`, null, { timeout: SEEN_MS_MAX }).then((found) => found.jsonValue());
}

const SCENARIOS = {
  /** All that can be said while it is live. */
  async talk({ page, frame, viewer, say }) {
    const ready = await heard(page, `({ event }) => event === "ready"`);
    const height = await heard(page, `({ event }) => event === "height"`);
    await page.waitForFunction(() => document.querySelector("iframe").height === "360");
    const still = await viewer.now();
    await viewer.shot("embed-waiting");
    const axe = { waiting: await violations(page) };
    await say({ command: "mute" });
    await say({ command: "play" });
    const playing = await heard(page, `({ event, state }) => event === "state" && state.isPlaying && state.isMuted`);
    const time = await heard(page, `({ event }) => event === "time"`);
    await viewer.untilPlaying(2);
    await viewer.shot("embed-playing");
    axe.playing = await violations(page);
    step("playing");
    await say({ command: "seek", position_s: 0 });
    const sought = await heard(page, `({ event, state }) => event === "state" && state.following === "free"`);
    await say({ command: "jumpToLive" });
    await viewer.until("live", ({ following, picture }) => following === "live" && picture === "moving");
    await say({ command: "pause" });
    await viewer.until("a stop", ({ picture }) => picture === "held");
    // Nobody else is listened to: this comes from the page itself, and not from the site around it.
    await frame.evaluate(() => window.postMessage({ headwater: 1, command: "play" }, "*"));
    await say({ command: "play", headwater: 2 });
    await say({ command: "unmute" });
    const unmuted = await viewer.until("sound", ({ isMuted }) => !isMuted);
    const link = await frame.locator("a.hw-link").getAttribute("href");
    return { ready, height, still, playing, time, sought, unmuted, link, axe };
  },

  /** What was missed in an interruption, in a small frame. */
  async missed({ page, frame, viewer, say }) {
    await page.evaluate(() => (document.querySelector("iframe").width = "360"));
    await say({ command: "play" });
    step("playing", await viewer.untilPlaying(2));
    const link = frame.locator("a.hw-link");
    const isLinked = [await link.isVisible()];
    const interrupted = await viewer.until("the message", ({ message, card }) => message === "interrupted" && card !== null);
    isLinked.push(await link.isVisible());
    await viewer.shot("embed-interrupted");
    step("interrupted", interrupted);
    const missed = await heard(page, `({ event, state }) => event === "state" && state.missed_s !== null`);
    await say({ command: "watchMissed" });
    const taken = await heard(page, `({ event, state }) => event === "state" && state.view === "catchup" && state.isPlaying`);
    return { isLinked, missed, taken };
  },

  /** The end of a broadcast that ends while it is interrupted. */
  async end({ page, viewer, say }) {
    await say({ command: "play" });
    step("playing", await viewer.untilPlaying(2));
    const interrupted = await viewer.until("the message", ({ message, card }) => message === "interrupted" && card !== null);
    const before = await page.evaluate(() => window.heard.filter(({ event }) => event === "ended").length);
    step("interrupted", interrupted);
    await heard(page, `({ event }) => event === "ended"`);
    const last = await heard(page, `({ event, state }) => event === "state" && state.hasEnded`);
    return { before, last };
  },
};

const server = await listen();
try {
  const result = await withPage(executablePath, async (page) => {
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const frame = page.frames().find((candidate) => candidate.url().startsWith(embedUrl));
    const say = (message) => page.evaluate((said) => window.say(said), message);
    await frame.locator(".hw-start").waitFor();
    return SCENARIOS[scenario]({ page, frame, viewer: new Viewer(page, frame), say });
  });
  console.log(JSON.stringify(result));
} finally {
  server.closeAllConnections();
  server.close();
}
