/**
 * Puts encoded pictures and sound together to segments. Each begins with a keyframe, and has the sound up to the next
 * one. Pure.
 */

/** An encoded picture or piece of sound; times are of the media timeline, in microseconds. */
export interface Packet<Config> {
  at_us: number;
  duration_us: number;
  isKey: boolean;
  data: Uint8Array;
  /** How to decode it, and what follows. With the first, and with each that changes it. */
  config?: Config | undefined;
}

export type PicturePacket = Packet<VideoDecoderConfig>;
export type SoundPacket = Packet<AudioDecoderConfig>;

/** A segment to be written. */
export interface Cut {
  from_us: number;
  duration_us: number;
  pictures: PicturePacket[];
  sound: SoundPacket[];
  picture: VideoDecoderConfig;
  hearing: AudioDecoderConfig | null;
}

/** How long after a segment is full its sound is waited for, on a device that is busy. What comes later is lost. */
const SOUND_LATE_US = 3_000_000;
/** When no picture comes for longer than this, the segment ends with the last one. */
const STANDSTILL_US = 1_000_000;

export class Segmenter {
  #pictures: PicturePacket[] = [];
  #sound: SoundPacket[] = [];
  #picture: VideoDecoderConfig | null = null;
  #hearing: AudioDecoderConfig | null = null;
  #soundUntil_us = -Infinity;

  constructor(
    private readonly cut: (cut: Cut) => void,
    /** Whether sound comes at all. */
    private readonly hasSound: () => boolean,
  ) {}

  addPicture(packet: PicturePacket): void {
    // Nothing can be made of pictures before the first that stands for itself.
    if (this.#pictures.length === 0 && !packet.isKey) return;
    this.#pictures.push(packet);
    this.#cutWhatIsFull();
  }

  addSound(packet: SoundPacket): void {
    if (packet.config) this.#hearing = packet.config;
    this.#sound.push(packet);
    this.#soundUntil_us = packet.at_us + packet.duration_us;
    this.#cutWhatIsFull();
  }

  /** Everything that is there becomes segments. */
  finish(): void {
    while (this.#cutOne(true));
    const last = this.#pictures.at(-1);
    if (last) this.#take(this.#pictures.length, last.at_us + last.duration_us);
    this.#sound = [];
  }

  #cutWhatIsFull(): void {
    while (this.#cutOne(false));
  }

  /** Whether there was one to cut. */
  #cutOne(atOnce: boolean): boolean {
    const next = this.#pictures.findIndex((packet, index) => index > 0 && packet.isKey);
    if (next < 0) return false;
    const until_us = this.#pictures[next]!.at_us;
    const isLate = this.#pictures.at(-1)!.at_us - until_us >= SOUND_LATE_US;
    const isWhole = !this.hasSound() || this.#soundUntil_us >= until_us;
    if (!atOnce && !isWhole && !isLate) return false;
    const before = this.#pictures[next - 1]!;
    const stoodStill = until_us - before.at_us > STANDSTILL_US;
    this.#take(next, stoodStill ? before.at_us + before.duration_us : until_us);
    return true;
  }

  #take(count: number, until_us: number): void {
    const pictures = this.#pictures.splice(0, count);
    const [first] = pictures;
    if (!first) return;
    this.#picture = first.config ?? this.#picture;
    const later = this.#sound.findIndex((packet) => packet.at_us >= until_us);
    const sound = this.#sound.splice(0, later < 0 ? this.#sound.length : later);
    // Sound from before the first picture has none to go with.
    const heard = sound.filter((packet) => packet.at_us + packet.duration_us > first.at_us);
    if (this.#picture === null) return;
    this.cut({
      from_us: first.at_us,
      duration_us: until_us - first.at_us,
      pictures,
      sound: heard,
      picture: this.#picture,
      hearing: heard.length > 0 ? this.#hearing : null,
    });
  }
}
