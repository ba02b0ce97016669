/** Pictures for an encoder that never gives what it has. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { PictureEncoder, standInsBetween } from "./picture";

class FakeFrame {
  readonly format = "I420";
  readonly displayWidth: number;
  readonly displayHeight: number;
  readonly timestamp: number;
  close = vi.fn();
  rotation = 0;
  flip = false;

  constructor(of: FakeFrame | FakeCanvas | Size, timing?: { timestamp: number }) {
    [this.displayWidth, this.displayHeight] = "displayWidth" in of ? [of.displayWidth, of.displayHeight] : [of.width, of.height];
    this.timestamp = timing?.timestamp ?? 0;
  }
}

interface Size {
  displayWidth: number;
  displayHeight: number;
}

/** What is drawn on it, and where. */
class FakeCanvas {
  static readonly drawn: [frame: unknown, x: number, y: number, width: number, height: number][] = [];

  constructor(
    public width: number,
    public height: number,
  ) {}

  getContext() {
    return { drawImage: (...drawn: (typeof FakeCanvas.drawn)[number]) => void FakeCanvas.drawn.push(drawn) };
  }
}

class FakeEncoder {
  static readonly all: FakeEncoder[] = [];
  static readonly isConfigSupported = async () => ({ supported: true });
  readonly encodeQueueSize = 0;
  state = "unconfigured";
  /** Each picture's time, and whether it was to be a keyframe. */
  readonly given: [at_us: number, isKey: boolean][] = [];
  /** How it was configured, and how many pictures it had been given by then. */
  readonly configured: [config: VideoEncoderConfig, after: number][] = [];
  readonly sizes = new Set<string>();

  constructor() {
    FakeEncoder.all.push(this);
  }

  configure(config: VideoEncoderConfig): void {
    this.state = "configured";
    this.configured.push([config, this.given.length]);
  }

  encode({ timestamp, displayWidth, displayHeight }: FakeFrame, { keyFrame }: { keyFrame: boolean }): void {
    this.given.push([timestamp, keyFrame]);
    this.sizes.add(`${displayWidth}x${displayHeight}`);
  }

  flush(): Promise<void> {
    return new Promise(() => undefined);
  }

  close(): void {
    this.state = "closed";
  }
}

const failed = vi.fn();
let decide: (current: number) => number = (current) => current;
let encoder: PictureEncoder;
let at_us = 0;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("VideoEncoder", FakeEncoder);
  vi.stubGlobal("VideoFrame", FakeFrame);
  vi.stubGlobal("OffscreenCanvas", FakeCanvas);
  vi.spyOn(console, "warn").mockReturnValue();
  FakeEncoder.all.length = FakeCanvas.drawn.length = at_us = 0;
  failed.mockClear();
  decide = (current) => current;
  encoder = new PictureEncoder(vi.fn(), (current) => decide(current), failed);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

async function add(displayWidth: number, count: number, change: Partial<FakeFrame> = {}) {
  for (let n = 0; n < count; n++) {
    const frame = Object.assign(new FakeFrame({ displayWidth, displayHeight: 360 }), change);
    encoder.add({ frame: frame as unknown as VideoFrame, at_ms: 0 }, (at_us += 50_000));
    await vi.advanceTimersByTimeAsync(50);
  }
}

it("is given up after a while at the end, and that is said", async () => {
  await add(640, 5);
  let isOver = false;
  void encoder.destroy().then(() => (isOver = true));
  await vi.advanceTimersByTimeAsync(4_000);
  expect(isOver).toBe(false);
  await vi.advanceTimersByTimeAsync(2_000);
  expect([isOver, failed.mock.calls.length, FakeEncoder.all.map(({ state }) => state)]).toEqual([true, 1, ["closed"]]);
});

it("gives way to another one when the size changes", async () => {
  await add(640, 5);
  await add(960, 200);
  expect(FakeEncoder.all.map(({ state }) => state)).toEqual(["closed", "configured"]);
  expect(FakeEncoder.all[1]!.given.length).toBeGreaterThan(50);
  expect(failed).not.toHaveBeenCalled();
});

it.each([
  [33_333, []],
  [500_000, []],
  [500_001, [500_000]],
  [1_700_000, [500_000, 1_000_000, 1_500_000]],
  [3_000_000, [500_000, 1_000_000, 1_500_000, 2_000_000, 2_500_000]],
  [3_000_001, []],
  [Infinity, []],
])("after %d µs without a picture it stands in at %j", (gap_us, expected) => {
  expect(standInsBetween(7, 7 + gap_us).map((at_us) => at_us - 7)).toEqual(expected);
});

it("a camera that stands still for some time ends no segment", async () => {
  await add(640, 10);
  const [{ given }] = FakeEncoder.all as [FakeEncoder];
  at_us += 2_500_000;
  given.length = 0;
  await add(640, 1);
  expect(given).toEqual([[1_000_000, false], [1_500_000, false], [2_000_000, true], [2_500_000, false], [3_000_000, false], [3_050_000, false]]);
});

it("another bit rate begins at a keyframe, in the same encoder", async () => {
  const rates = [600_000, 600_000, 400_000, 300_000, 300_000];
  decide = (current) => rates.shift() ?? current;
  await add(640, 1 + 38 * 5);
  const [{ configured, given }, ...others] = FakeEncoder.all as [FakeEncoder];
  expect(others).toEqual([]);
  const changes = configured.slice(1);
  expect(changes.map(([{ bitrate, width, height }]) => [bitrate, width, height])).toEqual(
    [600_000, 400_000, 300_000].map((bitrate) => [bitrate, 640, 360]),
  );
  // What is given after that is the keyframe of a segment, and each segment has one rate.
  const keys = given.flatMap(([, isKey], index) => (isKey ? [index] : []));
  expect(keys).toEqual([0, 38, 76, 114, 152]);
  expect(changes.map(([, after]) => after)).toEqual([0, 76, 114]);
});

it.each([
  ["turned", { rotation: 90 }],
  ["mirrored", { flip: true }],
])("a picture that is %s is drawn as it is to be seen, and encoded in that size", async (_, change) => {
  await add(640, 3);
  // How it is displayed: upright, whatever way it lies in memory.
  await add(202, 200, change);
  expect(FakeEncoder.all.map(({ sizes }) => [...sizes])).toEqual([["640x360"], ["202x360"]]);
  const frames = FakeCanvas.drawn.map(([frame, ...place]) => [(frame as FakeFrame).close.mock.calls.length, ...place]);
  expect(frames.length).toBeGreaterThan(30);
  expect(new Set(frames.map(String))).toEqual(new Set(["1,0,0,202,360"]));
  // The first of the new size begins a segment.
  expect(FakeEncoder.all[1]!.given[0]![1]).toBe(true);
  expect(failed).not.toHaveBeenCalled();
});
