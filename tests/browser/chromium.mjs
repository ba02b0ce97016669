// A headless Chromium that talks to nobody but this machine, and says so when a page complains.
import { chromium } from "playwright-core";

/** Pages play with sound without being asked to. */
const AUTOPLAY = "--autoplay-policy=no-user-gesture-required";
const FLAGS = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
  "--no-sandbox",
];

/**
 * Opens a page, gives it to `work`, and returns what that returns, with what the page complained of. `settings` are
 * Playwright's for a context; with `asksForPress`, sound needs a press first, as it does in most people's browsers.
 * `flags` are Chromium's own.
 */
export async function withPage(executablePath, work, { asksForPress = false, flags = [], ...settings } = {}) {
  const args = [...(asksForPress ? [] : [AUTOPLAY]), ...FLAGS, ...flags];
  const browser = await chromium.launch({ executablePath, headless: true, args });
  try {
    const page = await browser.newPage(settings);
    const complaints = [];
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(`${message.text()} (${message.location().url})`);
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    return { ...(await work(page)), complaints };
  } finally {
    await browser.close();
  }
}
