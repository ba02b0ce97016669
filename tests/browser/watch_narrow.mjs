// Looks for what does not fit a narrow screen, in every state of the watch page.
// usage: node watch_narrow.mjs CHROMIUM BASE_URL OWNER_KEY LANGUAGE FOLDER_OF_SEGMENTS  ->  JSON: { states: { NAME: found } }
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { NARROWEST, tooWide } from "./narrow.mjs";
import { tourWatch } from "./watch_tour.mjs";

const [executablePath, base, ownerKey, locale, folder] = process.argv.slice(2);
const names = readdirSync(folder).toSorted();
const segments = names.map((name) => readFileSync(join(folder, name)));
const args = ["--autoplay-policy=no-user-gesture-required", "--no-sandbox", "--disable-gpu"];
const browser = await chromium.launch({ executablePath, args });
const states = {};

async function create(base, key, title) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const answer = await fetch(`${base}/v1/broadcasts`, { method: "POST", headers, body: JSON.stringify({ title }) });
  return answer.json();
}

try {
  const settings = { viewport: NARROWEST, locale };
  await tourWatch(browser, { base, ownerKey, settings, create, segments, segment_s: 1 }, async (name, page) => {
    states[name] = await tooWide(page);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/narrow-${name}.png` });
  });
} finally {
  await browser.close();
}
console.log(JSON.stringify({ states }));
