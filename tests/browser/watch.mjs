// Watches a broadcast in the watch page for some seconds of its media.
// usage: node watch.mjs CHROMIUM PAGE_URL SECONDS   ->  JSON: what was seen
import { withPage } from "./chromium.mjs";

const [executablePath, url, seconds] = process.argv.slice(2);

const seen = await withPage(executablePath, async (page) => {
  await page.goto(url);
  // Once the picture has moved it is measured against the clock.
  await page.waitForFunction(() => (window.headwater?.video.currentTime ?? 0) > 0.5, null, { timeout: 40_000 });
  return page.evaluate(async (seconds) => {
    const { video, hls, errors } = window.headwater;
    const moment = () => ({ position_s: video.currentTime, at_ms: performance.now() });
    const start = moment();
    const deadline_ms = start.at_ms + 3_000 * seconds;
    while (video.currentTime < start.position_s + seconds && performance.now() < deadline_ms) {
      await new Promise(requestAnimationFrame);
    }
    const end = moment();
    return {
      played_s: end.position_s - start.position_s,
      took_s: (end.at_ms - start.at_ms) / 1000,
      duration_s: video.duration === Infinity ? null : video.duration,
      live: hls?.latestLevelDetails?.live ?? null,
      width: video.videoWidth,
      sound_bytes: video.webkitAudioDecodedByteCount,
      frames_dropped: video.getVideoPlaybackQuality().droppedVideoFrames,
      errors,
    };
  }, Number(seconds));
});
console.log(JSON.stringify(seen));
