/** Cameras and microphones that are changed quickly, taken away, and cannot be had. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Camera } from "./camera";
import type { Choice } from "./devices";

class FakeTrack extends EventTarget {
  readyState = "live";
  muted = false;
  enabled = true;

  constructor(readonly name: string) {
    super();
    tracks.push(this);
  }

  stop(): void {
    this.readyState = "ended";
  }

  getSettings(): MediaTrackSettings {
    return { deviceId: this.name };
  }

  /** The system takes it away. */
  end(): void {
    this.stop();
    this.dispatchEvent(new Event("ended"));
  }
}

const tracks: FakeTrack[] = [];
const missing = new Set<string>();
let isSoundRunning = true;
const wake = vi.fn();

async function slowly(name: string | null): Promise<FakeTrack> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  if (missing.has(name!)) throw new Error(`no ${name}`);
  return new FakeTrack(name!);
}

vi.mock("./devices", () => ({
  devices: async () => [{ label: "a" }],
  askForBoth: async () => undefined,
  openCamera: async ({ camera }: Choice) => {
    const track = await slowly(camera);
    return { getVideoTracks: () => [track] };
  },
  openMicrophone: async ({ microphone }: Choice) => {
    const track = await slowly(microphone);
    return { getAudioTracks: () => [track] };
  },
}));
vi.mock("./capture/frames", () => ({ takeFrames: () => () => undefined }));
vi.mock("./capture/sound", () => ({
  SoundEncoder: class {
    listen = async () => undefined;
    wake = wake;
    destroy = async () => undefined;
    get isRunning() {
      return isSoundRunning;
    }
  },
}));

const choice = (camera: string, microphone = "mic"): Choice => ({ camera, microphone, facing: "user", quality: "720" });
const live = () => tracks.filter(({ readyState }) => readyState === "live").map(({ name }) => name);
let camera: Camera;

beforeEach(async () => {
  vi.useFakeTimers();
  tracks.length = 0;
  missing.clear();
  isSoundRunning = true;
  vi.stubGlobal("HTMLMediaElement", { HAVE_CURRENT_DATA: 2 });
  vi.spyOn(console, "warn").mockReturnValue();
  const preview = { readyState: 0, classList: { toggle: () => undefined }, play: async () => undefined };
  camera = new Camera(preview as unknown as HTMLVideoElement, { picture: vi.fn(), sound: vi.fn(), failed: vi.fn() });
  const opened = camera.open(choice("a"));
  await vi.advanceTimersByTimeAsync(500);
  await opened;
  expect(live()).toEqual(["a", "mic"]);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

it("holds one camera, whichever was chosen last, however quickly", async () => {
  const changes = ["b", "c", "d"].map((name) => camera.openCamera(choice(name)));
  await vi.advanceTimersByTimeAsync(1_000);
  await Promise.all(changes);
  expect([live(), camera.settings.deviceId]).toEqual([["mic", "d"], "d"]);
});

it("goes back to the camera before when another one cannot be had", async () => {
  missing.add("b");
  const change = expect(camera.openCamera(choice("b"))).rejects.toThrow("no b");
  await vi.advanceTimersByTimeAsync(1_000);
  await change;
  expect([live(), camera.settings.deviceId]).toEqual([["mic", "a"], "a"]);
});

it("keeps the microphone before when another one cannot be had", async () => {
  missing.add("other");
  const change = expect(camera.openMicrophone(choice("a", "other"))).rejects.toThrow("no other");
  await vi.advanceTimersByTimeAsync(1_000);
  await change;
  expect(live()).toEqual(["a", "mic"]);
});

it("opens anew a microphone that was taken away, and leaves it muted if it was", async () => {
  camera.isMuted = true;
  missing.add("mic");
  tracks[1]!.end();
  await vi.advanceTimersByTimeAsync(3_000);
  expect(live()).toEqual(["a"]);
  missing.clear();
  await vi.advanceTimersByTimeAsync(2_000);
  expect([live(), tracks.at(-1)?.enabled]).toEqual([["a", "mic"], false]);
});

it.each(["the system mutes the microphone", "the sound is stopped by a call"])("says so when %s", async (what) => {
  const isOff = (off: boolean) => (what.startsWith("the system") ? (tracks[1]!.muted = off) : (isSoundRunning = !off));
  camera.take();
  camera.watch();
  expect(camera.isDeaf).toBe(false);
  isOff(true);
  for (let n = 0; n < 15; n++) {
    camera.watch();
    await vi.advanceTimersByTimeAsync(200);
  }
  expect([camera.isDeaf, wake.mock.calls.length > 0]).toEqual([true, true]);
  isOff(false);
  camera.watch();
  expect(camera.isDeaf).toBe(false);
});

it("opens a camera anew that gives no pictures, not because it was asked, and gives it time", async () => {
  camera.take();
  await vi.advanceTimersByTimeAsync(4_000);
  expect([camera.isSilent, camera.isSilent, tracks.length]).toEqual([true, true, 2]);
  camera.watch();
  await vi.advanceTimersByTimeAsync(200);
  camera.watch();
  await vi.advanceTimersByTimeAsync(1_000);
  expect([camera.isSilent, tracks.length, live()]).toEqual([false, 3, ["mic", "a"]]);
});
