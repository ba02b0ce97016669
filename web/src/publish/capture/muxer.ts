/**
 * Writes segments: MPEG-TS with AAC or without sound; fragmented MP4 (CMAF) where sound is Opus. Each is whole by itself,
 * but for the init section of CMAF.
 */
import {
  BufferTarget,
  CmafOutputFormat,
  EncodedAudioPacketSource,
  EncodedPacket,
  EncodedVideoPacketSource,
  MpegTsOutputFormat,
  Output,
} from "mediabunny";
import type { Container } from "../spool/names";
import type { Cut, Packet } from "./segmenter";
import { type SoundCodec } from "./hearing";

const SECOND_US = 1_000_000;

export interface Written {
  bytes: Uint8Array<ArrayBuffer>;
  container: Container;
  init: Uint8Array<ArrayBuffer> | null;
}

export class SegmentWriter {
  /** The init section of what was written last, by how that is decoded: it says when it was made, and stays the same. */
  #init: { of: string; bytes: Uint8Array<ArrayBuffer> } | null = null;

  constructor(private readonly codec: SoundCodec) {}

  async write(cut: Cut): Promise<Written> {
    if (this.codec === "aac") return { bytes: await this.#fill(cut, new MpegTsOutputFormat(), null), container: "ts", init: null };
    const target = new BufferTarget();
    const bytes = await this.#fill(cut, new CmafOutputFormat(), target);
    const of = [cut.picture, cut.hearing].map((config) => (config === null ? "" : described(config))).join();
    if (this.#init?.of !== of) this.#init = { of, bytes: filled(target) };
    // It is given away, and has to stay here too.
    return { bytes, container: "m4s", init: this.#init.bytes.slice() };
  }

  async #fill(
    cut: Cut,
    format: MpegTsOutputFormat | CmafOutputFormat,
    initTarget: BufferTarget | null,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const target = new BufferTarget();
    const output = new Output({ format, target, ...(initTarget && { initTarget }) });
    const pictures = new EncodedVideoPacketSource("avc");
    const sound = cut.hearing === null ? null : new EncodedAudioPacketSource(this.codec);
    output.addVideoTrack(pictures);
    if (sound) output.addAudioTrack(sound);
    await output.start();
    const adding = [addAll(cut.pictures, (packet, first) => pictures.add(packet, first ? { decoderConfig: cut.picture } : undefined))];
    if (sound && cut.hearing) {
      const decoderConfig = cut.hearing;
      adding.push(addAll(cut.sound, (packet, first) => sound.add(packet, first ? { decoderConfig } : undefined)));
    }
    await Promise.all(adding);
    await output.finalize();
    return filled(target);
  }
}

async function addAll(packets: Packet<unknown>[], add: (packet: EncodedPacket, first: boolean) => Promise<void>): Promise<void> {
  for (const [index, { data, isKey, at_us, duration_us }] of packets.entries()) {
    await add(new EncodedPacket(data, isKey ? "key" : "delta", at_us / SECOND_US, duration_us / SECOND_US), index === 0);
  }
}

function filled(target: BufferTarget): Uint8Array<ArrayBuffer> {
  if (target.buffer === null) throw new Error("the muxer has written nothing");
  return new Uint8Array(target.buffer);
}

/** How something is decoded, as text. */
function described(config: VideoDecoderConfig | AudioDecoderConfig): string {
  const { description, ...rest } = config;
  const bytes = description === undefined ? [] : [...toBytes(description)];
  return JSON.stringify({ ...rest, bytes });
}

function toBytes(source: AllowSharedBufferSource): Uint8Array {
  return ArrayBuffer.isView(source) ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength) : new Uint8Array(source);
}
