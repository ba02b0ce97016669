/**
 * The camera and the microphone at work: shown in the preview, and given to a recording while there is one.
 */
import { type Taken, takeFrames } from "./capture/frames";
import type { SoundPacket } from "./capture/segmenter";
import { SoundEncoder } from "./capture/sound";
import { askForBoth, type Choice, devices, openCamera, openMicrophone } from "./devices";

/** While one camera gives way to another, the last picture stands: so often, and so long. */
const STAND_EVERY_MS = 100;
const STAND_MAX_MS = 3_000;
/** How long after a camera was lost it is tried again. */
const AGAIN_MS = 1_000;
/** A camera that gives no picture for longer than this is opened anew. */
const SILENT_MAX_MS = 4_000;

export interface CameraEvents {
  picture(taken: Taken): void;
  sound(packet: SoundPacket): void;
  failed(error: unknown): void;
}

export class Camera {
  #video: MediaStreamTrack | null = null;
  #audio: MediaStreamTrack | null = null;
  #sound: SoundEncoder | null = null;
  #stop: (() => void) | null = null;
  #isTaking = false;
  #choice: Choice | null = null;
  #pictured_ms = 0;
  #isOpening = false;
  /** What stands while no camera is open. */
  #still: VideoFrame | null = null;
  #standing: number | undefined;
  #isDestroyed = false;

  constructor(
    private readonly preview: HTMLVideoElement,
    private readonly events: CameraEvents,
  ) {}

  get sound(): SoundEncoder | null {
    return this.#sound;
  }

  get hasMicrophone(): boolean {
    return this.#audio !== null;
  }

  /** Whether pictures should come, and none do. It is opened anew then. */
  get isSilent(): boolean {
    if (!this.#isTaking || performance.now() - this.#pictured_ms < SILENT_MAX_MS) return false;
    if (this.#choice && !this.#isOpening) void this.openCamera(this.#choice).catch((error: unknown) => console.warn("no camera", error));
    return true;
  }

  /** Which camera it is, as far as that is known. */
  get settings(): MediaTrackSettings {
    return this.#video?.getSettings() ?? {};
  }

  get microphoneSettings(): MediaTrackSettings {
    return this.#audio?.getSettings() ?? {};
  }

  /** Opens both, or others than before. Rejects if there is no camera. */
  async open(choice: Choice): Promise<void> {
    if (this.#video === null && (await isUnasked())) await askForBoth(choice);
    await this.openCamera(choice);
    await this.openMicrophone(choice);
  }

  async openCamera(choice: Choice): Promise<void> {
    this.#choice = choice;
    this.#isOpening = true;
    try {
      await this.#open(choice);
    } finally {
      this.#isOpening = false;
    }
  }

  async #open(choice: Choice): Promise<void> {
    this.#stand();
    this.#stop?.();
    this.#stop = null;
    // A phone has one camera at a time.
    this.#video?.stop();
    const stream = await openCamera(choice);
    const [track] = stream.getVideoTracks();
    if (!track || this.#isDestroyed) return track?.stop();
    this.#video = track;
    track.addEventListener("ended", () => this.#reopen(choice, track));
    this.preview.srcObject = stream;
    const faces = track.getSettings().facingMode;
    this.preview.classList.toggle("mirrored", faces === "user");
    await this.preview.play().catch(() => undefined);
    if (this.#isTaking) this.#take();
  }

  /** Without a microphone there is no sound, and all else goes on. */
  async openMicrophone(choice: Choice): Promise<void> {
    const before = this.#audio;
    try {
      const [track] = (await openMicrophone(choice)).getAudioTracks();
      if (!track) return;
      track.enabled = before?.enabled ?? true;
      this.#audio = track;
      this.#sound ??= new SoundEncoder(this.events.sound, this.events.failed);
      await this.#sound.listen(track);
      before?.stop();
    } catch (error) {
      console.warn("no microphone", error);
    }
  }

  set isMuted(isMuted: boolean) {
    if (this.#audio) this.#audio.enabled = !isMuted;
  }

  /** Gives pictures from here on. */
  take(): void {
    this.#isTaking = true;
    this.#pictured_ms = performance.now();
    this.#take();
  }

  rest(): void {
    this.#isTaking = false;
    this.#stop?.();
    this.#stop = null;
    this.#moves();
  }

  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    this.rest();
    this.#video?.stop();
    this.#audio?.stop();
    await this.#sound?.destroy();
  }

  #take(): void {
    if (!this.#video) return;
    this.#stop?.();
    this.#stop = takeFrames(this.#video, this.preview, (taken) => {
      this.#moves();
      this.#pictured_ms = performance.now();
      this.events.picture(taken);
    });
  }

  /** The last picture stands until another one comes. */
  #stand(): void {
    if (!this.#isTaking || this.#still || this.preview.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    // Not a frame of the camera's own: it has few, and gives no more while they are held.
    const still = drawn(this.preview);
    const until_ms = performance.now() + STAND_MAX_MS;
    this.#still = still;
    this.#standing = window.setInterval(() => {
      const at_ms = performance.now();
      if (at_ms > until_ms) return this.#moves();
      this.events.picture({ frame: still.clone(), at_ms });
    }, STAND_EVERY_MS);
  }

  #moves(): void {
    clearInterval(this.#standing);
    this.#still?.close();
    this.#still = null;
  }

  /** The system has taken the camera away: a call, or somebody has pulled it out. */
  #reopen(choice: Choice, lost: MediaStreamTrack): void {
    if (this.#isDestroyed || this.#video !== lost) return;
    this.openCamera(choice).catch((error: unknown) => {
      console.warn("the camera is gone", error);
      setTimeout(() => this.#reopen(choice, lost), AGAIN_MS);
    });
  }
}

/** What is seen, in memory: every encoder can read it. */
function drawn(preview: HTMLVideoElement): VideoFrame {
  const canvas = new OffscreenCanvas(preview.videoWidth, preview.videoHeight);
  canvas.getContext("2d", { willReadFrequently: true })!.drawImage(preview, 0, 0);
  return new VideoFrame(canvas, { timestamp: 0 });
}

/** Before anything was allowed, devices have no names. */
async function isUnasked(): Promise<boolean> {
  return (await devices("videoinput")).every((device) => device.label === "");
}
