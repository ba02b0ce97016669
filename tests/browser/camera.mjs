// Whether the publish page at an address that is not this machine's own may have a camera.
// usage: node camera.mjs CHROMIUM URL   ->  JSON: { isSecure, tracks, headline, complaints }
import { withPage } from "./chromium.mjs";

const [executablePath, url] = process.argv.slice(2);
/** Browsers trust 127.0.0.1 without TLS, too. A phone is elsewhere. */
const NAME = "headwater.test";
const there = new URL("/publish", url);
there.hostname = NAME;

const flags = [
  `--host-resolver-rules=MAP ${NAME} 127.0.0.1`,
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];
const seen = await withPage(
  executablePath,
  async (page) => {
    await page.goto(there.href);
    await page.waitForSelector("h1, button, input");
    if (process.argv[4]) await page.screenshot({ path: process.argv[4] });
    return page.evaluate(async () => {
      const stream = await navigator.mediaDevices?.getUserMedia({ video: true, audio: true });
      return { isSecure: isSecureContext, tracks: stream?.getTracks().length ?? 0 };
    });
  },
  // What a person does once, by a press, on the page with the warning.
  { ignoreHTTPSErrors: true, flags, viewport: { width: 390, height: 844 } },
);
console.log(JSON.stringify(seen));
