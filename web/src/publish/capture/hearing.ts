/**
 * How sound is heard, whatever microphone it comes from.
 */

export const RATE = 48_000;
export const CHANNELS = 1;
export const BITRATE = 96_000;

/** AAC goes into MPEG-TS, which all players have; Opus into fragmented MP4. */
export type SoundCodec = "aac" | "opus";

/** Takes sound, and gives packets away. */
export interface Sink {
  readonly codec: SoundCodec;
  /** In media time. */
  add(data: Float32Array<ArrayBuffer>, at_ms: number): Promise<void>;
  /** All that was added is encoded. */
  close(): Promise<void>;
}
