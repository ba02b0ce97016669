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
/** How long after a camera or a microphone was lost it is tried again. */
const AGAIN_MS = 1_000;
/** A camera that gives no picture for longer than this is opened anew. */
const SILENT_MAX_MS = 4_000;
/** A microphone that gives nothing for longer than this is told of. */
const DEAF_MAX_MS = 2_000;

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
  #isMuted = false;
  /** What is wanted, and what could be had last. */
  #choice: Choice | null = null;
  #works: Choice | null = null;
  #heard: Choice | null = null;
  #opening: Promise<void> = Promise.resolve();
  #openings = 0;
  #pictured_ms = 0;
  #deafSince_ms: number | null = null;
  #watched_ms = -Infinity;
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

  /** Whether pictures should come, and none do. */
  get isSilent(): boolean {
    return this.#isTaking && performance.now() - this.#pictured_ms >= SILENT_MAX_MS;
  }

  /** Whether there should be sound, and the system gives none: a call, or a microphone that was pulled out. */
  get isDeaf(): boolean {
    return this.#isTaking && this.#deafSince_ms !== null && performance.now() - this.#deafSince_ms >= DEAF_MAX_MS;
  }

  /** To be called now and then: what gives nothing is opened anew. */
  watch(): void {
    const now_ms = performance.now();
    const isHeard = this.#audio === null || (this.#audio.readyState === "live" && !this.#audio.muted && this.#sound?.isRunning === true);
    this.#deafSince_ms = isHeard ? null : (this.#deafSince_ms ?? now_ms);
    if (now_ms - this.#watched_ms < AGAIN_MS) return;
    this.#watched_ms = now_ms;
    if (this.isDeaf) void this.#sound?.wake();
    if (this.isSilent && this.#choice && this.#openings === 0) {
      this.openCamera(this.#choice).catch((error: unknown) => console.warn("no camera", error));
    }
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
    // Without a microphone there is no sound, and all else goes on.
    await this.openMicrophone(choice).catch((error: unknown) => console.warn("no microphone", error));
  }

  /** Opens another one. Rejects if it cannot be had; the one before goes on then, if that can be had. */
  openCamera(choice: Choice): Promise<void> {
    this.#choice = choice;
    return this.#inTurn(async () => {
      // Meanwhile another one was chosen.
      if (this.#choice !== choice) return;
      try {
        await this.#open(choice);
        this.#works = choice;
      } catch (error) {
        const before = this.#works;
        if (before !== null && before !== choice && this.#choice === choice) {
          this.#choice = before;
          await this.#open(before).catch((error: unknown) => console.warn("the camera before is gone too", error));
        }
        throw error;
      }
    });
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
    track.addEventListener("ended", () => this.#reopen(track));
    this.preview.srcObject = stream;
    const faces = track.getSettings().facingMode;
    this.preview.classList.toggle("mirrored", faces === "user");
    await this.preview.play().catch(() => undefined);
    this.#pictured_ms = performance.now();
    if (this.#isTaking) this.#take();
  }

  /** Opens another one. Rejects if it cannot be had; the one before goes on then. */
  openMicrophone(choice: Choice): Promise<void> {
    this.#heard = choice;
    return this.#inTurn(async () => {
      if (this.#heard === choice) await this.#listen(choice);
    });
  }

  async #listen(choice: Choice): Promise<void> {
    const before = this.#audio;
    const [track] = (await openMicrophone(choice)).getAudioTracks();
    if (!track || this.#isDestroyed) return track?.stop();
    track.enabled = !this.#isMuted;
    try {
      this.#sound ??= new SoundEncoder(this.events.sound, this.events.failed);
      await this.#sound.listen(track);
    } catch (error) {
      track.stop();
      throw error;
    }
    this.#audio = track;
    track.addEventListener("ended", () => this.#listenAgain(track));
    before?.stop();
  }

  /** One opening after the other, however quickly they are asked for. */
  #inTurn(open: () => Promise<void>): Promise<void> {
    this.#openings += 1;
    const opened = this.#opening.then(open).finally(() => (this.#openings -= 1));
    this.#opening = opened.catch(() => undefined);
    return opened;
  }

  set isMuted(isMuted: boolean) {
    this.#isMuted = isMuted;
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
  #reopen(lost: MediaStreamTrack): void {
    if (this.#isDestroyed || this.#video !== lost || this.#choice === null) return;
    this.openCamera(this.#choice).catch((error: unknown) => {
      console.warn("the camera is gone", error);
      setTimeout(() => this.#reopen(lost), AGAIN_MS);
    });
  }

  /** The same of the microphone. */
  #listenAgain(lost: MediaStreamTrack): void {
    if (this.#isDestroyed || this.#audio !== lost || this.#heard === null) return;
    this.openMicrophone(this.#heard).catch((error: unknown) => {
      console.warn("the microphone is gone", error);
      setTimeout(() => this.#listenAgain(lost), AGAIN_MS);
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
