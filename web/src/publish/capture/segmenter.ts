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
/** When no picture comes for longer than this, and no sound, the segment ends with the last one. */
const STANDSTILL_US = 1_000_000;
/**
 * When no picture has come while so much sound came, the last keyframe stands in for those that do not, so that what is heard
 * is in segments. Longer than the encoder itself lets the next picture stand in.
 */
const AWAY_US = 5_000_000;
/** The same, while the encoder has pictures that it has not given: they would come too late. */
const OWED_US = 15_000_000;
/** For how long it stands in at a time: a segment as long as others. */
const STAND_IN_US = 1_900_000;
/** How much later than sound the picture may come with which pictures go on. */
const PICTURE_LATE_US = 1_000_000;
/** The end of a segment that is not worth one of its own. */
const REST_US = 250_000;
/** How much sound is kept for the first picture. */
const SOUND_ALONE_US = 10_000_000;

export class Segmenter {
  #pictures: PicturePacket[] = [];
  #sound: SoundPacket[] = [];
  #picture: VideoDecoderConfig | null = null;
  #hearing: AudioDecoderConfig | null = null;
  #soundUntil_us = -Infinity;
  /** The last keyframe, and whether it is that which is last, standing in for another picture. */
  #key: PicturePacket | null = null;
  #standsIn = false;
  /** Up to where there was sound when the last picture came. */
  #seen_us = -Infinity;

  constructor(
    private readonly cut: (cut: Cut) => void,
    /** Whether sound comes at all. */
    private readonly hasSound: () => boolean,
    /** Whether pictures are still to come from the encoder. */
    private readonly arePicturesOwed: () => boolean,
  ) {}

  addPicture(packet: PicturePacket): void {
    const last = this.#pictures.at(-1);
    // Nothing can be made of pictures before the first that stands for itself, nor of those for which another one stood in.
    if (!packet.isKey && (last === undefined || this.#standsIn)) return;
    if (last && packet.at_us < last.at_us) return;
    if (packet.isKey) this.#standInUntil(packet.at_us);
    if (packet.isKey) this.#key = packet;
    this.#standsIn = false;
    this.#seen_us = Math.max(packet.at_us, this.#soundUntil_us);
    this.#pictures.push(packet);
    this.#cutWhatIsFull();
  }

  addSound(packet: SoundPacket): void {
    if (packet.config) this.#hearing = packet.config;
    this.#sound.push(packet);
    this.#soundUntil_us = packet.at_us + packet.duration_us;
    if (this.#pictures.length === 0) this.#sound = this.#sound.filter(({ at_us }) => at_us >= this.#soundUntil_us - SOUND_ALONE_US);
    this.#standInForThoseAway();
    this.#cutWhatIsFull();
  }

  /** Everything that is there becomes segments. */
  finish(): void {
    this.#standInUntil(this.#soundUntil_us);
    while (this.#cutOne(true));
    const last = this.#pictures.at(-1);
    if (last) this.#take(this.#pictures.length, endOf(last));
    this.#sound = [];
  }

  /** While sound comes, and no pictures. */
  #standInForThoseAway(): void {
    if (this.#soundUntil_us - this.#seen_us < (this.arePicturesOwed() ? OWED_US : AWAY_US)) return;
    for (let last = this.#pictures.at(-1); last; last = this.#pictures.at(-1)) {
      if (this.#soundUntil_us - endOf(last) < STAND_IN_US + PICTURE_LATE_US) return;
      this.#standIn(endOf(last), STAND_IN_US);
    }
  }

  /** For pictures that did not come before this moment, as far as there is something to be heard. */
  #standInUntil(at_us: number): void {
    const until_us = at_us - this.#soundUntil_us < SOUND_LATE_US ? at_us : this.#soundUntil_us;
    for (let last = this.#pictures.at(-1); last; last = this.#pictures.at(-1)) {
      const from_us = endOf(last);
      const isHeard = this.#soundUntil_us > from_us;
      if (!isHeard || until_us - from_us <= (this.#standsIn ? REST_US : STANDSTILL_US)) return;
      this.#standIn(from_us, Math.min(STAND_IN_US, until_us - from_us));
    }
  }

  #standIn(at_us: number, duration_us: number): void {
    this.#pictures.push({ ...this.#key!, at_us, duration_us, config: undefined });
    this.#standsIn = true;
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
    const before_us = endOf(this.#pictures[next - 1]!);
    const stoodStill = until_us - before_us > STANDSTILL_US;
    this.#take(next, stoodStill ? before_us : until_us);
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

function endOf({ at_us, duration_us }: PicturePacket): number {
  return at_us + duration_us;
}
