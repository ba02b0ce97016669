import { expect, test } from "vitest";
import { camera, obsService, testPicture } from "./recipes";

const to = { token: "tok-en", push_url: "http://host/push/tok-en/" };

test("ffmpeg pushes to the playlist under the push address", () => {
  for (const line of [testPicture(to), camera(to)]) {
    expect(line).toMatch(/^ffmpeg .* -f hls .* "http:\/\/host\/push\/tok-en\/out\.m3u8"$/);
    expect(line).not.toContain("\n");
  }
});

test("OBS puts the stream key where the token belongs", () => {
  const { settings } = JSON.parse(obsService(to));
  expect(settings.server).toBe("http://host/push/{stream_key}/out.m3u8");
  expect(settings.server.replace("{stream_key}", settings.key)).toBe("http://host/push/tok-en/out.m3u8");
});
