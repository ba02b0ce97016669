// Takes a picture of every state of the watch page, the publish page and the owner's pages, on a desktop and on a phone, light
// and dark: to be looked at after a change. They are not kept.
// usage: node scripts/pictures-of-all.mjs HEADWATER FOLDER [NAME…]
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { tourOwner } from "../tests/browser/owner_tour.mjs";
import { tourPublish } from "../tests/browser/publish_tour.mjs";
import { tourWatch } from "../tests/browser/watch_tour.mjs";
import { create, onStage, publish, record } from "./picture-stage.mjs";

const [headwater, folder, ...only] = process.argv.slice(2);
const SIZES = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
  sideways: { width: 844, height: 390 },
};
/** Longer than the tour of the watch page. */
const WATCHED_S = 300;
const UPRIGHT_S = 120;
/** How long controls and messages take to appear. */
const FADED_IN_MS = 300;

/** A picture for each size and colour scheme. */
async function shoot(name, page) {
  if (only.length > 0 && !only.includes(name)) return;
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(FADED_IN_MS);
      await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`), fullPage: name.startsWith("owner-") });
    }
  }
  console.log(name);
}

mkdirSync(folder, { recursive: true });
await onStage(headwater, async ({ browser, base, key }) => {
  const settings = { viewport: SIZES.phone };
  await tourOwner(browser, { base, ownerKey: key, settings, create, publish }, (name, page) => shoot(`owner-${name}`, page));
  const recording = { segments: record(WATCHED_S), upright: record(UPRIGHT_S, "360x640"), segment_s: 2 };
  await tourWatch(browser, { base, ownerKey: key, settings, create, ...recording }, (name, page) => shoot(`watch-${name}`, page));
  await tourPublish(browser, { base, ownerKey: key, settings }, (name, page) => shoot(`publish-${name}`, page));
});
