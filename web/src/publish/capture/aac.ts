/**
 * AAC: from the browser where it can, else from WebAssembly, which is loaded then. Loaded when it is needed.
 */
import { AdtsOutputFormat, AudioSample, AudioSampleSource, canEncodeAudio, NullTarget, Output } from "mediabunny";
import { BITRATE, CHANNELS, RATE, type Sink } from "./hearing";
import type { SoundPacket } from "./segmenter";

const SECOND_US = 1_000_000;

export async function openSink(give: (packet: SoundPacket) => void, fail: (error: unknown) => void): Promise<Sink> {
  await prepare();
  const source = new AudioSampleSource({
    codec: "aac",
    bitrate: BITRATE,
    onEncodedPacket: (packet, meta) =>
      give({
        at_us: Math.round(packet.timestamp * SECOND_US),
        duration_us: Math.round(packet.duration * SECOND_US),
        isKey: true,
        data: packet.data,
        config: meta?.decoderConfig,
      }),
  });
  // Only its packets are wanted.
  const output = new Output({ format: new AdtsOutputFormat(), target: new NullTarget() });
  output.addAudioTrack(source);
  await output.start();
  return {
    async add(data, at_ms) {
      const sample = new AudioSample({
        data,
        format: "f32",
        numberOfChannels: CHANNELS,
        sampleRate: RATE,
        timestamp: at_ms / 1000,
      });
      await source.add(sample);
      sample.close();
    },
    close: () => output.finalize().catch(fail),
  };
}

let isPrepared = false;

async function prepare(): Promise<void> {
  if (isPrepared) return;
  if (!(await canEncodeAudio("aac", { numberOfChannels: CHANNELS, sampleRate: RATE, bitrate: BITRATE }))) {
    const { registerAacEncoder } = await import("@mediabunny/aac-encoder");
    registerAacEncoder();
  }
  isPrepared = true;
}
