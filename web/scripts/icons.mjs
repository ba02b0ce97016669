// Makes web/public/icons/*.png of publish-icon.svg, for iOS and other systems that take no SVG. To be run when that changes.
// usage: node web/scripts/icons.mjs
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const { chromium } = createRequire(new URL("../../tests/browser/package.json", import.meta.url))("playwright-core");

/** The iPhone's home screen, and what an installable page must have. */
const SIZES = [180, 192, 512];
const svg = readFileSync(new URL("../public/publish-icon.svg", import.meta.url), "utf8");
const folder = fileURLToPath(new URL("../public/icons/", import.meta.url));

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  for (const size of SIZES) {
    const page = await browser.newPage({ viewport: { width: size, height: size } });
    await page.setContent(`<style>body { margin: 0 } svg { display: block; width: 100vw; height: 100vh }</style>${svg}`);
    await page.screenshot({ path: `${folder}${size}.png` });
  }
} finally {
  await browser.close();
}
