import { expect, test } from "vitest";
import { camera, obsService, testPicture } from "./recipes";

const created = {
  id: "b",
  title: "t",
  publish: {
    token: "tok-en",
    ingest_url: "http://host/ingest/b/",
    push_url: "http://host/push/tok-en/",
    youtube_url: "http://host/http_upload_hls?cid=tok-en&copy=0&file=",
  },
  watch: { page_url: "http://host/watch/b", multivariant_url: "http://host/hls/b/index.m3u8" },
};

test("ffmpeg pushes to the playlist under the push address", () => {
  for (const line of [testPicture(created), camera(created)]) {
    expect(line).toMatch(/^ffmpeg .* -f hls .* "http:\/\/host\/push\/tok-en\/out\.m3u8"$/);
    expect(line).not.toContain("\n");
  }
});

test("OBS puts the stream key where the token belongs", () => {
  const { settings } = JSON.parse(obsService(created));
  expect(settings.server).toBe("http://host/push/{stream_key}/out.m3u8");
  expect(settings.server.replace("{stream_key}", settings.key)).toBe("http://host/push/tok-en/out.m3u8");
});
