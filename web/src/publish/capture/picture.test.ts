/** Pictures for an encoder that never gives what it has. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { PictureEncoder } from "./picture";

class FakeFrame {
  readonly format = "I420";
  readonly displayWidth: number;
  readonly displayHeight: number;
  close = vi.fn();

  constructor({ displayWidth, displayHeight }: { displayWidth: number; displayHeight: number }) {
    [this.displayWidth, this.displayHeight] = [displayWidth, displayHeight];
  }
}

class FakeEncoder {
  static readonly all: FakeEncoder[] = [];
  static readonly isConfigSupported = async () => ({ supported: true });
  readonly encodeQueueSize = 0;
  state = "unconfigured";
  pictures = 0;

  constructor() {
    FakeEncoder.all.push(this);
  }

  configure(): void {
    this.state = "configured";
  }

  encode(): void {
    this.pictures += 1;
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
  expect(FakeEncoder.all[1]!.pictures).toBeGreaterThan(50);
  expect(failed).not.toHaveBeenCalled();
});
