/** Segments and bit rates: what is decided without a camera. */
import { describe, expect, it } from "vitest";
import { nextBitrate, type Observed } from "./bitrate";
import { ArrivalClock } from "./frames";
import { place, type Place } from "./place";
import { type Cut, type PicturePacket, Segmenter, type SoundPacket } from "./segmenter";

const FRAME_US = 50_000;
const config = (codec: string) => ({ codec }) as VideoDecoderConfig;
const hearing = { codec: "mp4a.40.2", sampleRate: 48_000, numberOfChannels: 1 } as AudioDecoderConfig;

function picture(n: number, isKey: boolean, codec?: string): PicturePacket {
  return { at_us: n * FRAME_US, duration_us: FRAME_US, isKey, data: new Uint8Array(), config: codec === undefined ? undefined : config(codec) };
}

function sound(n: number): SoundPacket {
  return { at_us: n * 20_000, duration_us: 20_000, isKey: true, data: new Uint8Array(), config: n === 0 ? hearing : undefined };
}

function cutter(hasSound: boolean, arePicturesOwed = false): { cuts: Cut[]; segmenter: Segmenter } {
  const cuts: Cut[] = [];
  return { cuts, segmenter: new Segmenter((cut) => cuts.push(cut), () => hasSound, () => arePicturesOwed) };
}

describe("segments", () => {
  it("begin with keyframes and lose no picture", () => {
    const { cuts, segmenter } = cutter(false);
    for (let n = 0; n < 100; n++) segmenter.addPicture(picture(n, n % 40 === 3, n === 3 ? "a" : undefined));
    segmenter.finish();
    expect(cuts.map((cut) => [cut.from_us, cut.duration_us, cut.pictures.length])).toEqual([
      [3 * FRAME_US, 40 * FRAME_US, 40],
      [43 * FRAME_US, 40 * FRAME_US, 40],
      [83 * FRAME_US, 17 * FRAME_US, 17],
    ]);
    expect(cuts.every((cut) => cut.pictures[0]!.isKey && cut.hearing === null)).toBe(true);
  });

  it("wait for their sound, but not for ever", () => {
    const { cuts, segmenter } = cutter(true);
    for (let n = 0; n <= 41; n++) segmenter.addPicture(picture(n, n % 40 === 0, "a"));
    expect(cuts.length).toBe(0);
    for (let n = 0; n < 100; n++) segmenter.addSound(sound(n));
    expect([cuts.length, cuts[0]?.sound.length, cuts[0]?.hearing]).toEqual([1, 100, hearing]);
    // From here on there is none.
    for (let n = 42; n <= 139; n++) segmenter.addPicture(picture(n, n % 40 === 0));
    expect(cuts.length).toBe(1);
    segmenter.addPicture(picture(140, false));
    expect([cuts.length, cuts[1]?.sound.length]).toEqual([2, 0]);
  });

  it("share the sound without losing or doubling any", () => {
    const { cuts, segmenter } = cutter(true);
    for (let n = 0; n < 325; n++) {
      segmenter.addSound(sound(n));
      if (n % 5 < 2) segmenter.addPicture(picture(Math.floor(n / 5) * 2 + (n % 5), (Math.floor(n / 5) * 2 + (n % 5)) % 40 === 0, "a"));
    }
    segmenter.finish();
    const heard = cuts.flatMap((cut) => cut.sound.map((packet) => packet.at_us));
    expect(heard).toEqual(Array.from({ length: 325 }, (_, n) => n * 20_000));
    for (const cut of cuts) expect(cut.sound.every(({ at_us }) => at_us >= cut.from_us && at_us < cut.from_us + cut.duration_us)).toBe(true);
  });

  it("end where the pictures stood still", () => {
    const { cuts, segmenter } = cutter(false);
    for (const n of [0, 1, 2, 60, 61]) segmenter.addPicture(picture(n, n === 0 || n === 60, "a"));
    segmenter.finish();
    expect(cuts.map((cut) => [cut.from_us, cut.duration_us])).toEqual([[0, 3 * FRAME_US], [60 * FRAME_US, 2 * FRAME_US]]);
  });

  /** What is heard from one picture on to the next: all of it, once, in segments that are no longer than others. */
  function assertNothingUnheard(cuts: Cut[], from_us: number, until_us: number) {
    const heard = cuts.flatMap((cut) => cut.sound.map((packet) => packet.at_us));
    expect(heard).toEqual(Array.from({ length: (until_us - from_us) / 20_000 }, (_, n) => from_us + n * 20_000));
    for (const [index, cut] of cuts.entries()) {
      expect([cut.pictures[0]!.isKey, cut.pictures[0]!.at_us, cut.duration_us <= 2_200_000]).toEqual([true, cut.from_us, true]);
      if (index > 0) expect(cut.from_us).toBe(cuts[index - 1]!.from_us + cuts[index - 1]!.duration_us);
    }
  }

  it("have all that is heard while no picture comes, as it comes", () => {
    const { cuts, segmenter } = cutter(true);
    segmenter.addPicture(picture(0, true, "a"));
    const MINUTES_10 = 30_000;
    for (let n = 0; n < MINUTES_10; n++) {
      segmenter.addSound(sound(n));
      const until_us = (cuts.at(-1)?.from_us ?? 0) + (cuts.at(-1)?.duration_us ?? 0);
      expect(n * 20_000 - until_us).toBeLessThan(7_000_000);
    }
    segmenter.finish();
    assertNothingUnheard(cuts, 0, 600_000_000);
    expect(cuts.at(-1)!.from_us + cuts.at(-1)!.duration_us).toBe(600_000_000);
  });

  it.each([0.5, 2, 3.5, 4.4, 5, 6, 9.7, 63])("have all that is heard until pictures come again after %d s", (away_s) => {
    const { cuts, segmenter } = cutter(true);
    const [left, back] = [60, 60 + away_s * 20];
    for (let n = 0; n < 1_000 + away_s * 50; n++) {
      segmenter.addSound(sound(n));
      if (n % 5 >= 2) continue;
      const nth = Math.floor(n / 5) * 2 + (n % 5);
      if (nth < left) segmenter.addPicture(picture(nth, nth % 40 === 0, "a"));
      else if (nth >= back) segmenter.addPicture(picture(nth, (nth - back) % 40 === 0));
    }
    segmenter.finish();
    assertNothingUnheard(cuts, 0, 20_000_000 + away_s * 1_000_000);
  });

  it("have no picture for which another one stood in, nor any that needs it", () => {
    const { cuts, segmenter } = cutter(true);
    segmenter.addPicture(picture(0, true, "a"));
    for (let n = 0; n < 500; n++) segmenter.addSound(sound(n));
    // They were on their way for that long.
    for (const n of [1, 2, 3, 40]) segmenter.addPicture(picture(n, n === 40));
    segmenter.addPicture(picture(199, false));
    for (let n = 200; n < 241; n++) segmenter.addPicture(picture(n, n % 40 === 0));
    for (let n = 500; n < 610; n++) segmenter.addSound(sound(n));
    segmenter.finish();
    const seen = cuts.flatMap((cut) => cut.pictures.map(({ at_us }) => at_us)).filter((at_us) => at_us >= 200 * FRAME_US);
    expect(seen).toEqual(Array.from({ length: 41 }, (_, n) => (200 + n) * FRAME_US));
    assertNothingUnheard(cuts.slice(0, -1), 0, 240 * FRAME_US);
  });

  it("have the pictures that the encoder had all the time", () => {
    const { cuts, segmenter } = cutter(true, true);
    for (let n = 0; n < 40; n++) segmenter.addPicture(picture(n, n === 0, "a"));
    for (let n = 0; n < 400; n++) segmenter.addSound(sound(n));
    for (let n = 40; n < 200; n++) segmenter.addPicture(picture(n, n % 40 === 0));
    for (let n = 400; n < 500; n++) segmenter.addSound(sound(n));
    segmenter.finish();
    const seen = cuts.flatMap((cut) => cut.pictures.map(({ at_us }) => at_us));
    expect(seen).toEqual(Array.from({ length: 200 }, (_, n) => n * FRAME_US));
    assertNothingUnheard(cuts, 0, 10_000_000);
  });

  it("are none of sound alone, and little of that is kept for the first picture", () => {
    const { cuts, segmenter } = cutter(true);
    for (let n = 0; n < 5_000; n++) segmenter.addSound(sound(n));
    segmenter.addPicture(picture(0, true, "a"));
    segmenter.addPicture(picture(1_960, true));
    expect(cuts.length).toBeGreaterThan(0);
    expect(cuts.flatMap((cut) => cut.sound).length).toBeLessThanOrEqual(500);
  });

  it("know how to decode what is in them when that changes", () => {
    const { cuts, segmenter } = cutter(false);
    for (let n = 0; n < 90; n++) segmenter.addPicture(picture(n, n % 30 === 0, n === 0 ? "a" : n === 60 ? "b" : undefined));
    segmenter.finish();
    expect(cuts.map((cut) => cut.picture.codec)).toEqual(["a", "a", "b"]);
  });
});

describe("a piece of sound", () => {
  const cases: [number | null, number, Place][] = [
    [null, -5, { kind: "skip" }],
    [null, 12, { kind: "begin", at_ms: 12 }],
    [1_000, 1_020, { kind: "next" }],
    [1_000, 900, { kind: "next" }],
    [1_000, 1_400, { kind: "after-silence", silence_ms: 400 }],
    [1_000, 9_000, { kind: "after-silence", silence_ms: 2_000 }],
    [1_000, 800, { kind: "skip" }],
  ];
  it.each(cases)("after %j, heard at %i, goes %j", (next_ms, from_ms, expected) => {
    expect(place(next_ms, from_ms)).toEqual(expected);
  });
});

describe("arrival", () => {
  it("of the quickest picture says how the clocks differ", () => {
    const clock = new ArrivalClock();
    const taken = [[0, 1_030], [50, 1_060], [100, 1_150]].map(([at, arrived]) => clock.when(at!, arrived!));
    expect(taken).toEqual([1_030, 1_060, 1_110]);
    // Another source: another clock.
    expect(clock.when(500_000, 1_200)).toBe(1_200);
  });
});

describe("the bit rate", () => {
  const calm: Observed = { bitsPerSecond: 10_000_000, waiting_ms: 0, dropped: 0, pressure: "nominal" };
  const limits = { min: 150_000, max: 2_500_000 };
  const cases: [string, number, Partial<Observed>, number][] = [
    ["rises step by step on a good link", 1_000_000, {}, 1_120_000],
    ["has a most", 2_400_000, {}, 2_500_000],
    ["stays in an outage", 1_000_000, { bitsPerSecond: null, waiting_ms: 40_000 }, 1_000_000],
    ["falls to what the link carries when more waits than should", 2_000_000, { bitsPerSecond: 1_840_000, waiting_ms: 6_000 }, 1_200_000],
    ["falls by half at most at a time", 2_000_000, { bitsPerSecond: 300_000, waiting_ms: 6_000 }, 1_000_000],
    ["has a least", 200_000, { bitsPerSecond: 10_000, waiting_ms: 6_000 }, 150_000],
    ["rises no further than the link carries", 1_000_000, { bitsPerSecond: 1_600_000 }, 1_000_000],
    ["falls when the machine is hot", 2_000_000, { pressure: "serious" }, 1_600_000],
    ["falls more when it is very hot", 2_000_000, { pressure: "critical" }, 1_200_000],
    ["falls no further for heat than is of use", 1_200_000, { pressure: "critical" }, 1_000_000],
    ["does not rise for heat", 400_000, { pressure: "serious" }, 400_000],
    ["does not rise when it is warm", 1_000_000, { pressure: "fair" }, 1_000_000],
    ["falls when pictures are dropped", 2_000_000, { dropped: 0.2 }, 1_600_000],
  ];
  it.each(cases)("%s", (_, current, seen, expected) => {
    expect(nextBitrate(current, { ...calm, ...seen }, limits)).toBe(expected);
  });
});
