// A headless Chromium that talks to nobody but this machine, and says so when a page complains.
import { chromium } from "playwright-core";

const FLAGS = [
  "--autoplay-policy=no-user-gesture-required",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
  "--no-sandbox",
];

/** Opens a page, gives it to `work`, and returns what that returns, with what the page complained of. */
export async function withPage(executablePath, work) {
  const browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
  try {
    const page = await browser.newPage();
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
