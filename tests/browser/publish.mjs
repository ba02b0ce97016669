// Publishes a drawn picture and a tone from a page with mediabunny: fetch PUT of segments and playlists, in real time.
// usage: node publish.mjs CHROMIUM PUSH_URL ts|cmaf SECONDS   ->  JSON: the status of every answer, by file
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { withPage } from "./chromium.mjs";

const [executablePath, pushUrl, format, seconds] = process.argv.slice(2);
const modules = fileURLToPath(new URL("./node_modules/", import.meta.url));
const FILES = {
  "/mediabunny.mjs": `${modules}mediabunny/dist/bundles/mediabunny.mjs`,
  "/aac-encoder.mjs": `${modules}@mediabunny/aac-encoder/dist/bundles/mediabunny-aac-encoder.mjs`,
};
const PAGE = `<!doctype html><script type="importmap">{"imports": {"mediabunny": "/mediabunny.mjs"}}</script>
<link rel="icon" href="data:,">`;

/** Serves an empty page and the modules that it may import. */
function listen() {
  const server = createServer((request, response) => {
    const file = FILES[request.url];
    response.setHeader("content-type", file ? "text/javascript" : "text/html");
    if (file) createReadStream(file).pipe(response);
    else response.end(PAGE);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** Runs in the page. */
async function publish({ pushUrl, format, seconds }) {
  const bunny = await import("/mediabunny.mjs");
  const { registerAacEncoder } = await import("/aac-encoder.mjs");
  if (!(await bunny.canEncodeAudio("aac"))) registerAacEncoder();

  const answers = {};
  const put = async (path, body) => {
    const answer = await fetch(pushUrl + path, { method: "PUT", body });
    (answers[path] ??= []).push(answer.status);
  };
  const sending = [];
  const target = new bunny.PathedTarget("master.m3u8", ({ path }) => {
    const file = path.split("/").pop();
    return new bunny.BufferTarget({ onFinalize: (buffer) => void sending.push(put(file, buffer)) });
  });
  const segmentFormat = format === "ts" ? new bunny.MpegTsOutputFormat() : new bunny.CmafOutputFormat();
  const output = new bunny.Output({
    format: new bunny.HlsOutputFormat({ segmentFormat, targetDuration: 1, live: true }),
    target,
  });

  const canvas = new OffscreenCanvas(160, 120);
  const pen = canvas.getContext("2d");
  const picture = new bunny.CanvasSource(canvas, { codec: "avc", bitrate: 200_000, keyFrameInterval: 1 });
  const sound = new bunny.AudioSampleSource({ codec: "aac", bitrate: 64_000 });
  output.addVideoTrack(picture, { frameRate: 15 });
  output.addAudioTrack(sound);
  await output.start();

  const rate = 48_000;
  const started_ms = performance.now();
  for (let frame = 0; frame < seconds * 15; frame++) {
    const at_s = frame / 15;
    // It is a live camera: pictures come when it is time for them, and nothing is waited for.
    while (performance.now() - started_ms < at_s * 1000) await new Promise((done) => setTimeout(done, 5));
    pen.fillStyle = `hsl(${frame * 7} 80% 50%)`;
    pen.fillRect(0, 0, 160, 120);
    await picture.add(at_s, 1 / 15);
    const data = Float32Array.from({ length: rate / 15 }, (_, n) => 0.2 * Math.sin(2 * Math.PI * 440 * (at_s + n / rate)));
    const sample = new bunny.AudioSample({ data, format: "f32", numberOfChannels: 1, sampleRate: rate, timestamp: at_s });
    await sound.add(sample);
    sample.close();
  }
  await output.finalize();
  await Promise.all(sending);
  return { answers };
}

const server = await listen();
try {
  const result = await withPage(executablePath, async (page) => {
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    return page.evaluate(publish, { pushUrl, format, seconds: Number(seconds) });
  });
  console.log(JSON.stringify(result));
} finally {
  server.closeAllConnections();
  server.close();
}
