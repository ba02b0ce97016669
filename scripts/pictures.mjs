// Takes the pictures of the docs: a broadcast by ffmpeg, and one from a page with a camera.
// usage: node scripts/pictures.mjs HEADWATER
import { create, onStage, publish } from "./picture-stage.mjs";

const DESKTOP = { viewport: { width: 1120, height: 800 }, colorScheme: "light" };
const DESKTOP_DARK = { ...DESKTOP, colorScheme: "dark" };
const PHONE = { viewport: { width: 390, height: 844 }, colorScheme: "light" };
/** How long controls and messages take to appear. */
const FADED_IN_MS = 600;
/** From when the picture stands to when the message stands in the middle of it. */
const TOLD_MS = 3_000;

async function takePictures({ browser, base, key }) {
  const { id, publish: to } = await create(base, key, "Harbour cup, final");
  const ffmpeg = publish(to.push_url);
  try {
    const viewer = await watching(browser, base, id, DESKTOP);
    await viewer.mouse.move(560, 300);
    await viewer.waitForTimeout(FADED_IN_MS);
    await viewer.screenshot({ path: "docs/pictures/watch.png" });
    await publishing(browser, base, key);
    await owning(browser, base, key, id);
    const inTheDark = await watching(browser, base, id, DESKTOP_DARK);
    ffmpeg.kill("SIGKILL");
    await inTheDark.locator(".hw-card[data-kind=interrupted]:not([hidden])").waitFor({ timeout: 60_000 });
    await inTheDark.waitForTimeout(TOLD_MS);
    await inTheDark.mouse.move(560, 300);
    await inTheDark.waitForTimeout(FADED_IN_MS);
    await inTheDark.screenshot({ path: "docs/pictures/interrupted.png" });
  } finally {
    ffmpeg.kill("SIGKILL");
  }
}

async function watching(browser, base, id, settings) {
  const page = await browser.newPage(settings);
  await page.goto(`${base}/watch/${id}`);
  await page.waitForFunction(() => window.headwater?.video.currentTime > 3, undefined, { timeout: 60_000 });
  return page;
}

async function publishing(browser, base, key) {
  const context = await browser.newContext({ ...PHONE, permissions: ["camera", "microphone"] });
  const page = await context.newPage();
  await page.goto(`${base}/publish#owner-key=${key}`);
  await page.getByRole("textbox").first().fill("From the boat");
  await page.getByRole("button", { name: /go live|start/i }).click();
  await page.getByText(/Live, /).first().waitFor({ timeout: 60_000 });
  await page.screenshot({ path: "docs/pictures/publish.png" });
  await context.close();
}

const allPicturesAreThere = () => [...document.querySelectorAll(".still img")].every((image) => !image.hidden);

async function owning(browser, base, key, id) {
  const page = await browser.newPage(DESKTOP);
  await page.goto(`${base}/#owner-key=${key}`);
  await page.getByText("Harbour cup").first().waitFor();
  await page.waitForFunction(allPicturesAreThere, undefined, { timeout: 30_000 });
  await page.goto(`${base}/broadcasts/${id}`);
  await page.getByText("Nothing is missing").waitFor();
  await page.waitForFunction(allPicturesAreThere, undefined, { timeout: 30_000 });
  await page.screenshot({ path: "docs/pictures/owner.png" });
}

await onStage(process.argv[2], takePictures);
