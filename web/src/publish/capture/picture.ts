/**
 * Encodes pictures. A keyframe begins each segment, and only there anything else may change: the bit rate, or the size,
 * which is another format.
 */
import { limitsFor } from "./bitrate";
import type { Taken } from "./frames";
import type { PicturePacket } from "./segmenter";
import { FLUSH_MAX_MS, within } from "./within";

/** A little less than two seconds, so that no segment is longer than its target duration. */
const SEGMENT_US = 1_900_000;
/** More pictures than this that wait for the encoder are too many. */
const QUEUE_MAX = 6;
/** What a picture takes while that is not known. */
const FRAME_US = 33_333;
/**
 * When no picture has come for longer than this, on a device that is too busy, the next one stands in for those that did not:
 * a segment without pictures would be too long for whoever watches live, and what is heard meanwhile would be in none.
 */
const STAND_IN_US = 500_000;
/** A camera that is away for longer than this is away. */
const AWAY_US = 3_000_000;
const FIRST_BITRATE = 1_200_000;
/** The best that there is comes first: high, main and baseline profile, for sizes up to 1080p. */
const CODECS = ["avc1.640028", "avc1.4d0028", "avc1.42e028"];

export interface PictureSize {
  width: number;
  height: number;
}

/** What was seen since the last look. */
export interface PictureCounts {
  taken: number;
  dropped: number;
}

export class PictureEncoder {
  #encoder: VideoEncoder | null = null;
  #config: VideoEncoderConfig | null = null;
  #bitrate = FIRST_BITRATE;
  #segmentFrom_us = -Infinity;
  #last_us = -Infinity;
  #frame_us = FRAME_US;
  #counts: PictureCounts = { taken: 0, dropped: 0 };
  #opening: Promise<void> | null = null;
  /** How many pictures the encoder has taken and not given. */
  #owed = 0;
  /** Draws what has to be turned. */
  #canvas: OffscreenCanvas | null = null;
  /** Some encoders cannot read what only the graphics processor has: for them everything is drawn. */
  #drawsAll = false;

  constructor(
    private readonly give: (packet: PicturePacket) => void,
    /** At the beginning of a segment: the bit rate for it, given the one before. */
    private readonly decide: (current: number, size: PictureSize, framesPerSecond: number) => number,
    private readonly fail: (error: unknown) => void,
  ) {}

  get bitrate(): number {
    return this.#bitrate;
  }

  get size(): PictureSize | null {
    return this.#config && { width: this.#config.width, height: this.#config.height };
  }

  /** Whether pictures are still to come that it has taken. */
  get owes(): boolean {
    return this.#owed > 0;
  }

  get framesPerSecond(): number {
    return 1_000_000 / this.#frame_us;
  }

  /** What was taken and dropped since this was asked last. */
  takeCounts(): PictureCounts {
    const counts = this.#counts;
    this.#counts = { taken: 0, dropped: 0 };
    return counts;
  }

  /** Encodes a picture, taken at this time of the media timeline, and closes it. */
  add({ frame }: Taken, at_us: number): void {
    this.#counts.taken += 1;
    const isNew = at_us <= this.#last_us;
    const isTooMuch = (this.#encoder?.encodeQueueSize ?? 0) > QUEUE_MAX;
    if (isNew || isTooMuch || this.#opening) {
      if (!this.#opening && !isNew) this.#counts.dropped += 1;
      frame.close();
      return;
    }
    try {
      this.#encode(frame, at_us);
    } catch (error) {
      this.fail(error);
    }
  }

  #encode(frame: VideoFrame, at_us: number): void {
    const upright = this.#upright(frame, at_us);
    const size = even(upright);
    // An encoder that has failed is closed: another one may do better.
    const isOpen = this.#encoder?.state === "configured";
    const isSame = isOpen && this.#config !== null && this.#config.width === size.width && this.#config.height === size.height;
    if (!isSame) {
      upright.close();
      this.#opening = this.#open(size).finally(() => (this.#opening = null));
      return;
    }
    if (Number.isFinite(this.#last_us)) this.#frame_us += (Math.min(at_us - this.#last_us, 500_000) - this.#frame_us) / 16;
    for (const between_us of standInsBetween(this.#last_us, at_us)) {
      this.#give(new VideoFrame(upright, { timestamp: between_us, duration: STAND_IN_US }), between_us, size);
    }
    this.#give(upright, at_us, size);
  }

  #give(picture: VideoFrame, at_us: number, size: PictureSize): void {
    const isFull = at_us - this.#segmentFrom_us >= SEGMENT_US;
    if (isFull) this.#beginSegment(at_us, size);
    this.#encoder!.encode(picture, { keyFrame: isFull });
    this.#owed += 1;
    picture.close();
    this.#last_us = at_us;
  }

  #beginSegment(at_us: number, size: PictureSize): void {
    this.#segmentFrom_us = at_us;
    const bitrate = this.decide(this.#bitrate, size, this.framesPerSecond);
    if (bitrate === this.#bitrate) return;
    this.#bitrate = bitrate;
    this.#config = { ...this.#config!, bitrate };
    this.#encoder!.configure(this.#config);
  }

  /** A picture as it should be seen, with its time on the media timeline. */
  #upright(frame: VideoFrame, at_us: number): VideoFrame {
    const { rotation = 0, flip = false } = frame as { rotation?: number; flip?: boolean };
    const timing = { timestamp: at_us, duration: Math.round(this.#frame_us) };
    try {
      const isOpaque = frame.format === null;
      if (rotation === 0 && !flip && !(isOpaque && this.#drawsAll)) return new VideoFrame(frame, timing);
      const { displayWidth, displayHeight } = frame;
      this.#canvas ??= new OffscreenCanvas(displayWidth, displayHeight);
      Object.assign(this.#canvas, { width: displayWidth, height: displayHeight });
      const pen = this.#canvas.getContext("2d", { willReadFrequently: this.#drawsAll });
      pen!.drawImage(frame, 0, 0, displayWidth, displayHeight);
      return new VideoFrame(this.#canvas, timing);
    } finally {
      frame.close();
    }
  }

  /** Ends what was encoded in another size, and begins anew. */
  async #open(size: PictureSize): Promise<void> {
    try {
      // Without what it does not give, the next one goes on.
      await this.flush().catch((error: unknown) => console.warn("the encoder before is given up", error));
      this.#bitrate = Math.min(this.#bitrate, limitsFor(size.width, size.height, this.framesPerSecond).max);
      const config = await configFor(size, this.#bitrate);
      if (config === null) throw new Error(`this browser cannot encode H.264 of ${size.width}x${size.height}`);
      this.#close();
      this.#encoder = new VideoEncoder({ output: (chunk, meta) => this.#output(chunk, meta), error: (error) => this.#failed(error) });
      this.#encoder.configure(config);
      this.#config = config;
      // The next picture is the first of a segment.
      this.#segmentFrom_us = -Infinity;
    } catch (error) {
      this.fail(error);
    }
  }

  /** The next picture opens another encoder. */
  #failed(error: unknown): void {
    this.#owed = 0;
    if (this.#drawsAll) return this.fail(error);
    console.warn("encoding again, from memory", error);
    this.#drawsAll = true;
    this.#canvas = null;
  }

  #output(chunk: EncodedVideoChunk, meta?: EncodedVideoChunkMetadata): void {
    this.#owed -= 1;
    const data = new Uint8Array(chunk.byteLength);
    chunk.copyTo(data);
    this.give({
      at_us: chunk.timestamp,
      duration_us: chunk.duration ?? Math.round(this.#frame_us),
      isKey: chunk.type === "key",
      data,
      config: meta?.decoderConfig,
    });
  }

  /** All that was added is encoded. What comes next begins a segment. */
  async flush(): Promise<void> {
    this.#segmentFrom_us = -Infinity;
    if (this.#encoder?.state === "configured") await within(FLUSH_MAX_MS, "encoding the last pictures", this.#encoder.flush());
  }

  async destroy(): Promise<void> {
    await this.flush().catch(this.fail);
    this.#close();
  }

  #close(): void {
    if (this.#encoder && this.#encoder.state !== "closed") this.#encoder.close();
    this.#encoder = null;
    this.#owed = 0;
  }
}

/** When the next picture is shown before it came, so that none is missing for long. */
export function standInsBetween(last_us: number, at_us: number): number[] {
  const gap_us = at_us - last_us;
  if (gap_us > AWAY_US) return [];
  return Array.from({ length: Math.ceil(gap_us / STAND_IN_US) - 1 }, (_, n) => last_us + (n + 1) * STAND_IN_US);
}

/** Encoders want even sizes. */
function even({ displayWidth, displayHeight }: VideoFrame): PictureSize {
  return { width: displayWidth & ~1, height: displayHeight & ~1 };
}

/** How pictures of this size can be encoded here; `null` if they cannot. */
export async function configFor({ width, height }: PictureSize, bitrate: number): Promise<VideoEncoderConfig | null> {
  if (typeof VideoEncoder === "undefined") return null;
  for (const codec of CODECS) {
    const config: VideoEncoderConfig = { codec, width, height, bitrate, latencyMode: "realtime", avc: { format: "avc" } };
    const { supported } = await VideoEncoder.isConfigSupported(config).catch(() => ({ supported: false }));
    if (supported) return config;
  }
  return null;
}
