/**
 * Writes segments: MPEG-TS with AAC or without sound. Each is whole by itself.
 */
import { BufferTarget, EncodedAudioPacketSource, EncodedPacket, EncodedVideoPacketSource, MpegTsOutputFormat, Output } from "mediabunny";
import type { Cut, Packet } from "./segmenter";

const SECOND_US = 1_000_000;

/** The bytes of a segment. */
export async function writeTs(cut: Cut): Promise<Uint8Array<ArrayBuffer>> {
  const target = new BufferTarget();
  const output = new Output({ format: new MpegTsOutputFormat(), target });
  const pictures = new EncodedVideoPacketSource("avc");
  const sound = cut.hearing === null ? null : new EncodedAudioPacketSource("aac");
  output.addVideoTrack(pictures);
  if (sound) output.addAudioTrack(sound);
  await output.start();
  for (const [index, packet] of cut.pictures.entries()) {
    await pictures.add(encoded(packet), index === 0 ? { decoderConfig: cut.picture } : undefined);
  }
  if (sound && cut.hearing) {
    for (const [index, packet] of cut.sound.entries()) {
      await sound.add(encoded(packet), index === 0 ? { decoderConfig: cut.hearing } : undefined);
    }
  }
  await output.finalize();
  if (target.buffer === null) throw new Error("the muxer has written nothing");
  return new Uint8Array(target.buffer);
}

function encoded({ data, isKey, at_us, duration_us }: Packet<unknown>): EncodedPacket {
  return new EncodedPacket(data, isKey ? "key" : "delta", at_us / SECOND_US, duration_us / SECOND_US);
}
