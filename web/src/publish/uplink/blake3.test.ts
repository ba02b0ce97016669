import { describe, expect, it } from "vitest";
import { digestOf, digestOfRange } from "./blake3";

/** The input of the official test vectors: bytes that count from 0 to 250, over and over. */
const counting = (length: number) => Uint8Array.from({ length }, (_, n) => n % 251);

describe("blake3", () => {
  // From test_vectors.json of the reference implementation: lengths about the edges of blocks, chunks and trees.
  const vectors: [number, string][] = [
    [0, "af1349b9f5f9a1a6a0404dea36dcc949"],
    [1, "2d3adedff11b61f14c886e35afa03673"],
    [63, "e9bc37a594daad83be9470df7f7b3798"],
    [64, "4eed7141ea4a5cd4b788606bd23f46e2"],
    [65, "de1e5fa0be70df6d2be8fffd0e99ceaa"],
    [1023, "10108970eeda3eb932baac1428c7a216"],
    [1024, "42214739f095a406f3fc83deb889744a"],
    [1025, "d00278ae47eb27b34faecf67b4fe263f"],
    [2048, "e776b6028c7cd22a4d0ba182a8bf6220"],
    [2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3"],
    [3072, "b98cb0ff3623be03326b373de6b90952"],
    [4097, "9b4052b38f1c5fc8b1f9ff7ac7b27cd2"],
    [8193, "bab6c09cb8ce8cf459261398d2e7aef3"],
    [31744, "62b6960e1a44bcc1eb1a611a8d6235b6"],
    [102400, "bc3e3d41a1146b069abffad3c0d44860"],
  ];
  it.each(vectors)("%i bytes are %s", (length, digest) => expect(digestOf(counting(length))).toBe(digest));

  it("of a range is that of its digests", () => {
    const digests = [0, 1].map((length) => digestOf(counting(length)));
    const joined = Uint8Array.from(digests.join("").match(/../g)!, (byte) => parseInt(byte, 16));
    expect(digestOfRange(digests)).toBe(digestOf(joined));
  });

  it("is quick enough for a segment", () => {
    const began_ms = performance.now();
    digestOf(counting(1_000_000));
    expect(performance.now() - began_ms).toBeLessThan(1_000);
  });
});
