// Starts Headwater, publishes with ffmpeg, and takes the pictures of the README.
// usage: node scripts/pictures.mjs HEADWATER
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const { chromium } = createRequire(new URL("../tests/browser/package.json", import.meta.url))("playwright-core");

const CHROMIUM = {
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
};
const SOURCE = ["-hide_banner", "-loglevel", "error", "-nostdin", "-re", "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25",
  "-f", "lavfi", "-i", "sine=f=440", "-t", "120", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
  "-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-c:a", "aac", "-f", "hls", "-hls_time", "2", "-method", "PUT",
  "-http_persistent", "1"];

async function main() {
  const data = await mkdtemp(join(tmpdir(), "headwater-pictures-"));
  const headwater = spawn(process.argv[2], ["up", "--data", data, "--listen", "127.0.0.1:0", "--log", "error"]);
  const [line] = await once(createInterface(headwater.stdout), "line");
  const [, base, key] = line.match(/(http:\S+)\/#owner-key=(\S+)/);
  const answer = await fetch(`${base}/v1/broadcasts`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ title: "Harbour cup, final" }),
  });
  const { id, publish } = await answer.json();
  const ffmpeg = spawn("ffmpeg", [...SOURCE, `${publish.push_url}out.m3u8`]);
  const browser = await chromium.launch(CHROMIUM);
  try {
    await takePictures(browser, base, key, id);
  } finally {
    await browser.close();
    ffmpeg.kill();
    headwater.kill();
    await once(headwater, "exit");
    await rm(data, { recursive: true });
  }
}

async function takePictures(browser, base, key, id) {
  const page = await browser.newPage({ viewport: { width: 1120, height: 800 }, colorScheme: "light" });
  await page.goto(`${base}/watch/${id}`);
  await page.waitForFunction(() => window.headwater?.video.currentTime > 3, undefined, { timeout: 60_000 });
  await page.screenshot({ path: "docs/pictures/watch.png" });
  await page.goto(`${base}/#owner-key=${key}`);
  await page.getByText("Harbour cup").waitFor();
  await page.screenshot({ path: "docs/pictures/home.png" });
}

await main();
