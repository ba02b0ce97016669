import { expect, test } from "vitest";
import { heightAt, readCommand, siteOrigin } from "./messages";

test("only whole commands of this version are heard", () => {
  const cases: [unknown, unknown][] = [
    [{ headwater: 1, command: "play" }, { command: "play" }],
    [{ headwater: 1, command: "seek", position_s: 3.5 }, { command: "seek", position_s: 3.5 }],
    [{ headwater: 1, command: "seek" }, null],
    [{ headwater: 1, command: "seek", position_s: Number.NaN }, null],
    [{ headwater: 2, command: "play" }, null],
    [{ headwater: 1, command: "destroy" }, null],
    [{ headwater: 1, command: "constructor" }, null],
    [{ command: "play" }, null],
    ["play", null],
    [null, null],
  ];
  for (const [data, command] of cases) expect(readCommand(data), JSON.stringify(data)).toEqual(command);
});

test("the site is who the address names, or where the browser says we are", () => {
  const cases: [string, string | undefined, string, string | null][] = [
    ["?origin=https://a.example", "https://b.example", "", "https://a.example"],
    ["?origin=https://a.example/page", undefined, "", "https://a.example"],
    ["?origin=javascript:1", "https://b.example", "", "https://b.example"],
    ["", undefined, "https://c.example/x", "https://c.example"],
    ["", "null", "", null],
    ["", undefined, "", null],
  ];
  for (const [search, ancestor, referrer, origin] of cases) {
    expect(siteOrigin(search, ancestor, referrer), `${search} ${ancestor}`).toBe(origin);
  }
});

test("the height is that of the picture", () => {
  const cases: [number, number, number, number][] = [
    [640, 0, 0, 360],
    [640, 1280, 720, 360],
    [360, 720, 1280, 640],
    [600, 640, 480, 450],
  ];
  for (const [width, videoWidth, videoHeight, height] of cases) {
    expect(heightAt(width, { videoWidth, videoHeight }), `${videoWidth}x${videoHeight}`).toBe(height);
  }
});
