/** Pictures for an encoder that never gives what it has. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { PictureEncoder, standInsBetween } from "./picture";

class FakeFrame {
  readonly format = "I420";
  readonly displayWidth: number;
  readonly displayHeight: number;
  readonly timestamp: number;
  close = vi.fn();

  constructor({ displayWidth, displayHeight }: { displayWidth: number; displayHeight: number }, timing?: { timestamp: number }) {
    [this.displayWidth, this.displayHeight] = [displayWidth, displayHeight];
    this.timestamp = timing?.timestamp ?? 0;
  }
}

class FakeEncoder {
  static readonly all: FakeEncoder[] = [];
  static readonly isConfigSupported = async () => ({ supported: true });
  readonly encodeQueueSize = 0;
  state = "unconfigured";
  /** Each picture's time, and whether it was to be a keyframe. */
  readonly given: [at_us: number, isKey: boolean][] = [];

  constructor() {
    FakeEncoder.all.push(this);
  }

  configure(): void {
    this.state = "configured";
  }

  encode({ timestamp }: FakeFrame, { keyFrame }: { keyFrame: boolean }): void {
    this.given.push([timestamp, keyFrame]);
  }

  flush(): Promise<void> {
    return new Promise(() => undefined);
  }

  close(): void {
    this.state = "closed";
  }
}

const failed = vi.fn();
let encoder: PictureEncoder;
let at_us = 0;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("VideoEncoder", FakeEncoder);
  vi.stubGlobal("VideoFrame", FakeFrame);
  vi.spyOn(console, "warn").mockReturnValue();
  FakeEncoder.all.length = at_us = 0;
  failed.mockClear();
  encoder = new PictureEncoder(vi.fn(), (current) => current, failed);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

async function add(displayWidth: number, count: number) {
  for (let n = 0; n < count; n++) {
    const frame = new FakeFrame({ displayWidth, displayHeight: 360 });
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
