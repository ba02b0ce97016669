import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { NativeEngine } from "./native";

const NETWORK = 2;
const DECODE = 3;

/** As much of a video element as the engine uses, failing by order. */
class FakeVideo extends EventTarget {
  error: { code: number; message: string } | null = null;
  currentTime = 0;
  duration = Infinity;
  seekable = { length: 0 };
  readonly loads: number[] = [];
  readonly play = vi.fn(() => Promise.resolve());
  readonly load = vi.fn();
  readonly removeAttribute = vi.fn();

  set src(_url: string) {
    this.error = null;
    this.currentTime = 0;
    this.loads.push(Date.now());
  }

  fail(code: number): void {
    this.error = { code, message: "" };
    this.dispatchEvent(new Event("error"));
  }

  /** For how long it was left alone before each load but the first, in s. */
  get pauses(): number[] {
    return this.loads.slice(1).map((at, index) => (at - this.loads[index]!) / 1000);
  }
}

const on = { playlist: vi.fn(), qualities: vi.fn(), failure: vi.fn(), segment: vi.fn(), doubt: vi.fn(), unplayable: vi.fn(), error: vi.fn() };
let video: FakeVideo;
let engine: NativeEngine;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("window", globalThis);
  video = new FakeVideo();
  on.doubt.mockResolvedValue(true);
  const task = { video: video as unknown as HTMLVideoElement, url: "u", start_s: null, hasMedia: false, on };
  engine = NativeEngine.start(task);
});
afterEach(() => {
  engine.destroy();
  expect(vi.getTimerCount(), "nothing is left to come").toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
  for (const mock of Object.values(on)) mock.mockReset();
});

/** Fails, each time that it is loaded anew. */
async function fail(times: number, code = DECODE): Promise<void> {
  for (let time = 0; time < times; time++) {
    const { length } = video.loads;
    video.fail(code);
    while (video.loads.length === length) await vi.advanceTimersToNextTimerAsync();
  }
}

test("while nobody answers, it is not the media, and is tried again for as long as it takes", async () => {
  on.doubt.mockResolvedValue(false);
  await fail(30);
  expect(on.unplayable).not.toHaveBeenCalled();
  expect(new Set(video.pauses)).toEqual(new Set([2]));
  expect(on.doubt).toHaveBeenCalledTimes(30);
});

test("an error of the network is never the media's", async () => {
  await fail(30, NETWORK);
  expect(on.unplayable).not.toHaveBeenCalled();
});

test("what fails though the server answers cannot be played, and is still tried, ever more calmly", async () => {
  await fail(4);
  expect(on.unplayable).not.toHaveBeenCalled();
  await fail(1);
  expect(on.unplayable).toHaveBeenCalledTimes(1);
  await fail(6);
  const { pauses } = video;
  expect(pauses).toHaveLength(11);
  expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
  expect([pauses[0], pauses.at(-1)]).toEqual([2, 30]);
});

test("the count begins anew when it plays, and when there is reason to try again", async () => {
  const reasons = [
    () => engine.retry(),
    () => engine.moveOn(),
    () => {
      video.currentTime += 1.5;
      video.dispatchEvent(new Event("timeupdate"));
    },
  ];
  for (const reason of reasons) {
    await fail(4);
    reason();
  }
  await fail(4);
  expect(on.unplayable).not.toHaveBeenCalled();
  await fail(1);
  expect(on.unplayable).toHaveBeenCalledTimes(1);
});

test("an answer that comes after the next try counts for nothing", async () => {
  await fail(4);
  let answer = (_isHeard: boolean): void => undefined;
  on.doubt.mockImplementation(() => new Promise((resolve) => (answer = resolve)));
  await fail(1);
  engine.retry();
  answer(true);
  await vi.advanceTimersByTimeAsync(0);
  expect(on.unplayable).not.toHaveBeenCalled();
});

test("what only lives begins where it is, and a recording where it stood", async () => {
  video.currentTime = 7;
  await fail(1);
  video.dispatchEvent(new Event("loadedmetadata"));
  expect(video.currentTime).toBe(0);

  video.currentTime = 7;
  await fail(1);
  video.duration = 60;
  video.dispatchEvent(new Event("loadedmetadata"));
  expect(video.currentTime).toBe(7);
});
