/** Sound for an encoder that never gives what it has, and gives it when nobody wants it any more. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { SoundPacket } from "./segmenter";
import { SoundEncoder } from "./sound";

let given: (packet: SoundPacket) => void = () => undefined;
vi.mock("./tap.worklet.ts?worker&url", () => ({ default: "" }));
vi.mock("./encode-sound", () => ({
  openSink: async (give: typeof given) => {
    given = give;
    return { codec: "aac", add: async () => undefined, close: () => new Promise(() => undefined) };
  },
}));

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("AudioContext", class extends EventTarget {});
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("is given up after a while at the end, and is not the next recording's", async () => {
  const [give, fail] = [vi.fn(), vi.fn()];
  const sound = new SoundEncoder(give, fail);
  await sound.begin(0);
  let isOver = false;
  void sound.end().then(() => (isOver = true));
  given({} as SoundPacket);
  await vi.advanceTimersByTimeAsync(6_000);
  const late = given;
  await sound.begin(6_000);
  late({} as SoundPacket);
  expect([isOver, fail.mock.calls.length, give.mock.calls.length]).toEqual([true, 1, 1]);
});
