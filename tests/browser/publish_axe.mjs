// Looks for accessibility errors in every state of the publish page, light and dark, and for what does not fit a narrow screen;
// in another language than English only for that, since only the words are others.
// usage: node publish_axe.mjs CHROMIUM BASE_URL OWNER_KEY LANGUAGE   ->  JSON: { states: { NAME: violations } }
import { violations } from "./axe.mjs";
import { chromium } from "playwright-core";
import { CAMERA_FLAGS, tourPublish } from "./publish_tour.mjs";

const [executablePath, base, ownerKey, locale] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: [...CAMERA_FLAGS, "--no-sandbox", "--disable-gpu"] });
const states = {};
const PHONE = { width: 390, height: 844 };
/** WCAG 1.4.10: what has to do without scrolling sideways. */
const NARROWEST = { width: 320, height: 640 };

/** What is wider than the page, or cut off by it. */
async function tooWide(page) {
  await page.setViewportSize(NARROWEST);
  const found = await page.evaluate(() => {
    const { clientWidth, scrollWidth } = document.documentElement;
    const beside = [...document.querySelectorAll("button, a, input, h1, p")].filter((part) => {
      const { left, right, width } = part.getBoundingClientRect();
      return width > 1 && part.checkVisibility({ visibilityProperty: true }) && (left < 0 || right > clientWidth);
    });
    const places = beside.map((part) => `${part.tagName} ${part.className} ${part.textContent}`);
    return scrollWidth > clientWidth || places.length > 0 ? [{ id: "too-wide", scrollWidth, places }] : [];
  });
  await page.setViewportSize(PHONE);
  return found;
}
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
