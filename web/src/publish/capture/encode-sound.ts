/**
 * Encodes sound: AAC by the browser where it can, else by WebAssembly, which is loaded then; Opus where neither can be had.
 * Loaded when it is needed.
 */
import { AudioSample, AudioSampleSource, canEncodeAudio, NullTarget, OggOutputFormat, Output, AdtsOutputFormat } from "mediabunny";
import { BITRATE, CHANNELS, RATE, type Sink, type SoundCodec } from "./hearing";
import type { SoundPacket } from "./segmenter";

const SECOND_US = 1_000_000;
const OPTIONS = { numberOfChannels: CHANNELS, sampleRate: RATE, bitrate: BITRATE };

export async function openSink(give: (packet: SoundPacket) => void, fail: (error: unknown) => void): Promise<Sink> {
  const codec = await chooseCodec();
  const source = new AudioSampleSource({
    codec,
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
  const format = codec === "aac" ? new AdtsOutputFormat() : new OggOutputFormat();
  const output = new Output({ format, target: new NullTarget() });
  output.addAudioTrack(source);
  await output.start();
  return {
    codec,
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

/** The first time, it may load an encoder. */
export async function chooseCodec(): Promise<SoundCodec> {
  if (await canEncodeAudio("aac", OPTIONS)) return "aac";
  try {
    const { registerAacEncoder } = await import("@mediabunny/aac-encoder");
    registerAacEncoder();
    if (await canEncodeAudio("aac", OPTIONS)) return "aac";
  } catch (error) {
    console.warn("no AAC encoder can be loaded", error);
  }
  return "opus";
}
