// Starts Headwater, publishes with ffmpeg and from a page with a camera that ffmpeg has drawn, and takes the pictures of the docs.
// usage: node scripts/pictures.mjs HEADWATER
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const { chromium } = createRequire(new URL("../tests/browser/package.json", import.meta.url))("playwright-core");

const DESKTOP = { viewport: { width: 1120, height: 800 }, colorScheme: "light" };
const DESKTOP_DARK = { ...DESKTOP, colorScheme: "dark" };
const PHONE = { viewport: { width: 390, height: 844 }, colorScheme: "light" };
/** How long controls and messages take to appear. */
const FADED_IN_MS = 600;
/** From when the picture stands to when the message stands in the middle of it. */
const TOLD_MS = 3_000;
const QUIET = ["-hide_banner", "-loglevel", "error", "-nostdin"];
const ENCODE = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50", "-keyint_min", "50",
  "-sc_threshold", "0", "-c:a", "aac", "-f", "hls", "-hls_time", "2", "-method", "PUT", "-http_persistent", "1"];

const water = (size, rate) => `gradients=s=${size}:r=${rate}:c0=0x04293a:c1=0x0b6e8f:c2=0x67c5e3:c3=0x0a4d68:n=4:speed=0.02:seed=7`;

async function main(headwaterPath) {
  const folder = await mkdtemp(join(tmpdir(), "headwater-pictures-"));
  const camera = join(folder, "camera.y4m");
  execFileSync("ffmpeg", [...QUIET, "-f", "lavfi", "-i", water("360x640", 20), "-t", "3", "-pix_fmt", "yuv420p", camera]);
  const headwater = spawn(headwaterPath, ["up", "--data", join(folder, "data"), "--listen", "127.0.0.1:0", "--log", "error"]);
  const [line] = await once(createInterface(headwater.stdout), "line");
  const [, base, key] = line.match(/(http:\S+)\/#owner-key=(\S+)/);
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
      "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", `--use-file-for-fake-video-capture=${camera}`],
  });
  try {
    await takePictures(browser, base, key);
  } finally {
    await browser.close();
    headwater.kill();
    await once(headwater, "exit");
    await rm(folder, { recursive: true });
  }
}

async function takePictures(browser, base, key) {
  const answer = await fetch(`${base}/v1/broadcasts`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ title: "Harbour cup, final" }),
  });
  const { id, publish } = await answer.json();
  const source = ["-re", "-f", "lavfi", "-i", water("1280x720", 25), "-f", "lavfi", "-i", "sine=f=440", "-t", "180"];
  const ffmpeg = spawn("ffmpeg", [...QUIET, ...source, ...ENCODE, `${publish.push_url}out.m3u8`]);
  try {
    const viewer = await watching(browser, base, id, DESKTOP);
    await viewer.mouse.move(560, 300);
    await viewer.waitForTimeout(FADED_IN_MS);
    await viewer.screenshot({ path: "docs/pictures/watch.png" });
    await publishing(browser, base, key);
    await owning(browser, base, key, id);
    const inTheDark = await watching(browser, base, id, DESKTOP_DARK);
    ffmpeg.kill("SIGKILL");
    // Until the picture stands.
    await inTheDark.waitForFunction(() => window.headwater.video.readyState < 3, undefined, { timeout: 60_000 });
    await inTheDark.waitForTimeout(TOLD_MS);
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

await main(process.argv[2]);
