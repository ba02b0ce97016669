/**
 * Sound from a microphone, on its way to the encoder.
 *
 * All microphones are heard at one rate and in one number of channels, so that another microphone is no other format.
 * Where sound is missing there is silence, so that it stays beside the pictures.
 */
import { loaded } from "../../code";
import { CHANNELS, RATE, type Sink, type SoundCodec } from "./hearing";
import { place } from "./place";
import type { SoundPacket } from "./segmenter";
import { FLUSH_MAX_MS, within } from "./within";
import tapUrl from "./tap.worklet.ts?worker&url";

export class SoundEncoder {
  readonly #context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
  #node: AudioWorkletNode | null = null;
  #microphone: MediaStreamAudioSourceNode | null = null;
  #sink: Sink | null = null;
  /** Whether what the sink gives is still wanted: each recording has its own. */
  #wanted = { is: false };
  #level = 0;
  /** The media time at which the next piece should begin. */
  #next_ms: number | null = null;
  /** What this clock is ahead of performance.now(). */
  #zero_ms: number | null = null;
  #adding: Promise<void> = Promise.resolve();

  constructor(
    private readonly give: (packet: SoundPacket) => void,
    private readonly fail: (error: unknown) => void,
  ) {
    // A phone call stops it, and does not always let it go on.
    this.#context.addEventListener("statechange", () => void this.wake());
  }

  /** How loud it is, from 0 to 1. */
  get level(): number {
    return this.#level;
  }

  /** How it is encoded, once that has begun. */
  get codec(): SoundCodec {
    return this.#sink?.codec ?? "aac";
  }

  get isRunning(): boolean {
    return this.#node !== null && this.#context.state === "running";
  }

  /** Listens to a microphone, or to another one than before. */
  async listen(track: MediaStreamTrack): Promise<void> {
    if (this.#node === null) {
      await this.#context.audioWorklet.addModule(tapUrl);
      this.#node = new AudioWorkletNode(this.#context, "tap", {
        numberOfOutputs: 0,
        channelCount: CHANNELS,
        channelCountMode: "explicit",
      });
      this.#node.port.onmessage = ({ data }: MessageEvent<Float32Array<ArrayBuffer>[]>) => this.#hear(data);
    }
    this.#microphone?.disconnect();
    this.#microphone = this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#microphone.connect(this.#node);
    await this.wake();
  }

  /** Browsers let sound begin after a touch only, and stop it for a call. */
  async wake(): Promise<void> {
    if (this.#context.state !== "running" && this.#context.state !== "closed") await this.#context.resume().catch(() => undefined);
  }

  /** From here on it is encoded; media time is performance.now() less this. */
  async begin(zero_ms: number): Promise<void> {
    const { openSink } = await loaded(() => import("./encode-sound"));
    const wanted = { is: true };
    this.#wanted = wanted;
    this.#sink = await openSink((packet) => wanted.is && this.give(packet), this.fail);
    this.#zero_ms = zero_ms;
    this.#next_ms = null;
  }

  /** All that was heard is encoded. */
  async end(): Promise<void> {
    this.#zero_ms = null;
    const sink = this.#sink;
    this.#sink = null;
    const adding = this.#adding;
    this.#adding = Promise.resolve();
    await within(FLUSH_MAX_MS, "encoding the last sound", adding.then(() => sink?.close())).catch(this.fail);
    this.#wanted.is = false;
  }

  async destroy(): Promise<void> {
    await this.end();
    this.#microphone?.disconnect();
    this.#node?.port.close();
    await this.#context.close().catch(() => undefined);
  }

  #hear(channels: Float32Array<ArrayBuffer>[]): void {
    const frames = channels[0]?.length ?? 0;
    let peak = 0;
    for (const value of channels[0] ?? []) peak = Math.max(peak, Math.abs(value));
    this.#level = Math.max(peak, this.#level * 0.9);
    if (this.#zero_ms === null || this.#sink === null) return;
    const length_ms = (frames * 1000) / RATE;
    const from_ms = performance.now() - this.#zero_ms - length_ms;
    const fit = place(this.#next_ms, from_ms);
    if (fit.kind === "skip") return;
    const at_ms = fit.kind === "begin" ? fit.at_ms : this.#next_ms!;
    const silence = fit.kind === "after-silence" ? Math.round((fit.silence_ms * RATE) / 1000) : 0;
    this.#next_ms = at_ms + (silence * 1000) / RATE + length_ms;
    const sink = this.#sink;
    this.#adding = this.#adding
      .then(async () => {
        if (silence > 0) await sink.add(new Float32Array(silence), at_ms);
        await sink.add(channels[0]!, at_ms + (silence * 1000) / RATE);
      })
      .catch(this.fail);
  }
}
