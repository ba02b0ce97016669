/**
 * One recording at work: pictures and sound are encoded, cut to segments, and given away as footage.
 */
import { loaded } from "../../code";
import type { Footage } from "../keeper/messages";
import { deviceAhead_ms } from "../uplink/running-time";
import { nextBitrate, limitsFor, type Observed } from "./bitrate";
import type { Taken } from "./frames";
import { Leaps } from "./leaps";
import type { SegmentWriter } from "./muxer";
import { PictureEncoder } from "./picture";
import { type Cut, Segmenter } from "./segmenter";
import type { SoundEncoder } from "./sound";

export interface RecordingEvents {
  footage(footage: Footage): void;
  failed(error: unknown): void;
  /** What the bit rate depends on, beside what is known here. */
  observed(): Pick<Observed, "bitsPerSecond" | "waiting_ms" | "pressure">;
}

export class Recording {
  /** Loads what a recording needs: before an upgrade of the server, or its absence, can come between. */
  static async load(): Promise<void> {
    await Promise.all([import("./muxer"), import("./encode-sound").then(({ chooseCodec }) => chooseCodec())]);
  }

  /** Media time 0, by performance.now(). */
  readonly #zero_ms = performance.now();
  readonly #pictures: PictureEncoder;
  readonly #segmenter: Segmenter;
  readonly #leaps = new Leaps(deviceAhead_ms());
  #writing: Promise<void> = Promise.resolve();
  #writer: SegmentWriter | null = null;
  #isEnded = false;
  #recorded_ms = 0;

  constructor(
    private readonly sound: SoundEncoder | null,
    private readonly events: RecordingEvents,
  ) {
    this.#segmenter = new Segmenter((cut) => this.#write(cut), () => sound?.isRunning ?? false, () => this.#pictures.owes);
    this.#pictures = new PictureEncoder(
      (packet) => this.#segmenter.addPicture(packet),
      (current, { width, height }, framesPerSecond) => {
        const { taken, dropped } = this.#pictures.takeCounts();
        const seen = { ...this.events.observed(), dropped: taken === 0 ? 0 : dropped / taken };
        return nextBitrate(current, seen, limitsFor(width, height, framesPerSecond));
      },
      (error) => this.events.failed(error),
    );
  }

  get bitrate(): number {
    return this.#pictures.bitrate;
  }

  get size(): { width: number; height: number } | null {
    return this.#pictures.size;
  }

  /** Whether it can have sound at all: that is settled when it begins. */
  get hasSound(): boolean {
    return this.sound !== null;
  }

  /** How much of it became segments. */
  get recorded_ms(): number {
    return this.#recorded_ms;
  }

  async begin(): Promise<void> {
    const { SegmentWriter } = await loaded(() => import("./muxer"));
    await this.sound?.begin(this.#zero_ms);
    this.#writer = new SegmentWriter(this.sound?.codec ?? "aac");
  }

  addSound(...packet: Parameters<Segmenter["addSound"]>): void {
    this.#look();
    if (!this.#isEnded) this.#segmenter.addSound(...packet);
  }

  addPicture(taken: Taken): void {
    this.#look();
    const at_us = this.#mediaTime_us(taken.at_ms);
    if (this.#isEnded || at_us < 0) taken.frame.close();
    else this.#pictures.add(taken, at_us);
  }

  /** Everything that was taken becomes footage. */
  async end(): Promise<void> {
    await Promise.all([this.#pictures.destroy(), this.sound?.end()]);
    this.#isEnded = true;
    this.#segmenter.finish();
    await this.#writing;
  }

  /** The device may have slept since. */
  #look(): void {
    this.#leaps.look(this.#mediaTime_us(performance.now()), deviceAhead_ms());
  }

  #mediaTime_us(at_ms: number): number {
    return Math.round((at_ms - this.#zero_ms) * 1000);
  }

  #write(cut: Cut): void {
    const captured_ms = performance.timeOrigin + this.#zero_ms + cut.from_us / 1000;
    const duration_ms = cut.duration_us / 1000;
    const ahead_ms = this.#leaps.at(cut.from_us);
    this.#writing = this.#writing
      .then(async () => {
        const written = await this.#writer!.write(cut);
        this.#recorded_ms += duration_ms;
        this.events.footage({ ...written, captured_ms, ahead_ms, duration_ms });
      })
      .catch((error: unknown) => this.events.failed(error));
  }
}
