// Looks for accessibility errors in every state of the publish page, light and dark, and for what does not fit a narrow screen;
// in another language than English only for that, since only the words are others.
// usage: node publish_axe.mjs CHROMIUM BASE_URL OWNER_KEY LANGUAGE   ->  JSON: { states: { NAME: violations } }
import { violations } from "./axe.mjs";
import { chromium } from "playwright-core";
import { tooWide } from "./narrow.mjs";
import { CAMERA_FLAGS, tourPublish } from "./publish_tour.mjs";

const [executablePath, base, ownerKey, locale] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: [...CAMERA_FLAGS, "--no-sandbox", "--disable-gpu"] });
const states = {};
const PHONE = { width: 390, height: 844 };

try {
  await tourPublish(browser, { base, ownerKey, settings: { viewport: PHONE, locale } }, async (name, page) => {
    states[name] = [];
    for (const colorScheme of locale === "en" ? ["light", "dark"] : []) {
      await page.emulateMedia({ colorScheme });
      states[name].push(...(await violations(page)));
    }
    states[name].push(...(await tooWide(page)));
  });
} finally {
  await browser.close();
}
console.log(JSON.stringify({ states }));
