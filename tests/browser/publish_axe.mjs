// Looks for accessibility errors in every state of the publish page, light and dark.
// usage: node publish_axe.mjs CHROMIUM BASE_URL OWNER_KEY   ->  JSON: { states: { NAME: violations } }
import { violations } from "./axe.mjs";
import { chromium } from "playwright-core";
import { CAMERA_FLAGS, tourPublish } from "./publish_tour.mjs";

const [executablePath, base, ownerKey] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: [...CAMERA_FLAGS, "--no-sandbox", "--disable-gpu"] });
const states = {};
try {
  await tourPublish(browser, { base, ownerKey, settings: { viewport: { width: 390, height: 844 } } }, async (name, page) => {
    states[name] = [];
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      states[name].push(...(await violations(page)));
    }
  });
} finally {
  await browser.close();
}
console.log(JSON.stringify({ states }));
