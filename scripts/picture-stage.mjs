// What pictures are taken of: a Headwater with nothing in it, publishers that ffmpeg draws, and a browser with a drawn camera.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const { chromium } = createRequire(new URL("../tests/browser/package.json", import.meta.url))("playwright-core");

const QUIET = ["-hide_banner", "-loglevel", "error", "-nostdin"];
const ENCODE_TO_FILES = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50", "-keyint_min", "50",
  "-sc_threshold", "0", "-c:a", "aac", "-f", "hls", "-hls_time", "2", "-hls_list_size", "0"];
const ENCODE = [...ENCODE_TO_FILES, "-hls_list_size", "5", "-method", "PUT", "-http_persistent", "1"];

const water = (size, rate) => `gradients=s=${size}:r=${rate}:c0=0x04293a:c1=0x0b6e8f:c2=0x67c5e3:c3=0x0a4d68:n=4:speed=0.02:seed=7`;

/** Calls `take` with `{ browser, base, key }`, and puts everything away afterwards. */
export async function onStage(headwaterPath, take) {
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
    await take({ browser, base, key });
  } finally {
    await browser.close();
    headwater.kill();
    await once(headwater, "exit");
    await rm(folder, { recursive: true });
  }
}

/** A new broadcast: what the server says of it. */
export async function create(base, key, title) {
  const answer = await fetch(`${base}/v1/broadcasts`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ title }),
  });
  return answer.json();
}

/** The segments of a recording of so many seconds. */
export function record(seconds, size = "640x360") {
  const folder = mkdtempSync(join(tmpdir(), "headwater-recording-"));
  try {
    const source = ["-f", "lavfi", "-i", water(size, 25), "-f", "lavfi", "-i", "sine=f=440", "-t", String(seconds)];
    execFileSync("ffmpeg", [...QUIET, ...source, ...ENCODE_TO_FILES, join(folder, "out.m3u8")]);
    return Array.from({ length: Math.floor(seconds / 2) }, (_, seq) => readFileSync(join(folder, `out${seq}.ts`)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** An ffmpeg that publishes to this address for some seconds. */
export function publish(pushUrl, seconds = 180) {
  const source = ["-re", "-f", "lavfi", "-i", water("1280x720", 25), "-f", "lavfi", "-i", "sine=f=440", "-t", String(seconds)];
  return spawn("ffmpeg", [...QUIET, ...source, ...ENCODE, `${pushUrl}out.m3u8`]);
}
