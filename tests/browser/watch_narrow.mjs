// Looks for what does not fit a narrow screen, in every state of the watch page.
// The segments of a recording are in FOLDER/lying, and those of one by a phone held upright in FOLDER/upright.
// usage: node watch_narrow.mjs CHROMIUM BASE_URL OWNER_KEY LANGUAGE FOLDER  ->  JSON: { states: { NAME: found } }
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { NARROWEST, tooWide } from "./narrow.mjs";
import { tourWatch } from "./watch_tour.mjs";

const [executablePath, base, ownerKey, locale, folder] = process.argv.slice(2);
const segmentsIn = (name) => readdirSync(join(folder, name)).toSorted().map((file) => readFileSync(join(folder, name, file)));
const recordings = { segments: segmentsIn("lying"), upright: segmentsIn("upright"), segment_s: 1 };
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
  await tourWatch(browser, { base, ownerKey, settings, create, ...recordings }, async (name, page) => {
    states[name] = await tooWide(page);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/narrow-${name}.png` });
  });
} finally {
  await browser.close();
}
console.log(JSON.stringify({ states }));
