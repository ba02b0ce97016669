/**
 * BLAKE3 (https://github.com/BLAKE3-team/BLAKE3-specs): what the recorders know segments by. Of its digest they use the
 * first half. Pure.
 */

const IV = Uint32Array.of(
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
);
const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const ROUNDS = 7;
const BLOCK_LEN = 64;
const CHUNK_LEN = 1024;
const CHUNK_START = 1;
const CHUNK_END = 2;
const PARENT = 4;
const ROOT = 8;

/** The message word that each place of each round takes. */
const SCHEDULE: number[][] = [Array.from({ length: 16 }, (_, place) => place)];
for (let round = 1; round < ROUNDS; round++) SCHEDULE.push(PERMUTATION.map((place) => SCHEDULE[round - 1]![place]!));

/** The first half of the digest, in hexadecimal digits. */
export function digestOf(bytes: Uint8Array): string {
  return hex(new Uint8Array(blake3(bytes).buffer, 0, 16));
}

/** The digest that the recorders tell of a range: of its segments' digests, in order. */
export function digestOfRange(digests: readonly string[]): string {
  const bytes = digests.flatMap((digest) => digest.match(/../g)?.map((byte) => parseInt(byte, 16)) ?? []);
  return digestOf(Uint8Array.from(bytes));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The digest as eight little-endian words, which is how every machine that runs browsers keeps them. */
function blake3(bytes: Uint8Array): Uint32Array<ArrayBuffer> {
  /** Finished subtrees, the largest first: one for each bit of the number of chunks before this one. */
  const stack: Uint32Array[] = [];
  const chunks = Math.max(1, Math.ceil(bytes.length / CHUNK_LEN));
  for (let index = 0; index < chunks - 1; index++) {
    let value = chunk(bytes, index, 0);
    for (let total = index + 1; total % 2 === 0; total /= 2) value = parent(stack.pop()!, value, 0);
    stack.push(value);
  }
  let value = chunk(bytes, chunks - 1, stack.length === 0 ? ROOT : 0);
  while (stack.length > 0) {
    const left = stack.pop()!;
    value = parent(left, value, stack.length === 0 ? ROOT : 0);
  }
  return value.slice();
}

function chunk(bytes: Uint8Array, index: number, last: number): Uint32Array {
  const from = index * CHUNK_LEN;
  const end = Math.min(from + CHUNK_LEN, bytes.length);
  const blocks = Math.max(1, Math.ceil((end - from) / BLOCK_LEN));
  const block = new Uint8Array(BLOCK_LEN);
  let chaining: Uint32Array = IV;
  for (let n = 0; n < blocks; n++) {
    const part = bytes.subarray(from + n * BLOCK_LEN, Math.min(from + (n + 1) * BLOCK_LEN, end));
    block.fill(0);
    block.set(part);
    const isLast = n === blocks - 1;
    const flags = (n === 0 ? CHUNK_START : 0) | (isLast ? CHUNK_END | last : 0);
    chaining = compress(chaining, new Uint32Array(block.buffer), index, part.length, flags);
  }
  return chaining;
}

function parent(left: Uint32Array, right: Uint32Array, flags: number): Uint32Array {
  const words = new Uint32Array(16);
  words.set(left);
  words.set(right, 8);
  return compress(IV, words, 0, BLOCK_LEN, PARENT | flags);
}

/** Signed words, and places that are used again: V8 keeps these in registers. */
const state = new Int32Array(16);

function compress(chaining: Uint32Array, words: Uint32Array, counter: number, len: number, flags: number): Uint32Array {
  const v = state;
  const m = new Int32Array(words.buffer);
  v.set(chaining);
  v.set(IV.subarray(0, 4), 8);
  v[12] = counter;
  v[13] = Math.floor(counter / 2 ** 32);
  v[14] = len;
  v[15] = flags;
  for (const order of SCHEDULE) {
    mix(v, 0, 4, 8, 12, m[order[0]!]!, m[order[1]!]!);
    mix(v, 1, 5, 9, 13, m[order[2]!]!, m[order[3]!]!);
    mix(v, 2, 6, 10, 14, m[order[4]!]!, m[order[5]!]!);
    mix(v, 3, 7, 11, 15, m[order[6]!]!, m[order[7]!]!);
    mix(v, 0, 5, 10, 15, m[order[8]!]!, m[order[9]!]!);
    mix(v, 1, 6, 11, 12, m[order[10]!]!, m[order[11]!]!);
    mix(v, 2, 7, 8, 13, m[order[12]!]!, m[order[13]!]!);
    mix(v, 3, 4, 9, 14, m[order[14]!]!, m[order[15]!]!);
  }
  const out = new Uint32Array(8);
  for (let n = 0; n < 8; n++) out[n] = v[n]! ^ v[n + 8]!;
  return out;
}

function mix(v: Int32Array, a: number, b: number, c: number, d: number, x: number, y: number): void {
  let [va, vb, vc, vd] = [v[a]!, v[b]!, v[c]!, v[d]!];
  va = (va + vb + x) | 0;
  vd = turned(vd ^ va, 16);
  vc = (vc + vd) | 0;
  vb = turned(vb ^ vc, 12);
  va = (va + vb + y) | 0;
  vd = turned(vd ^ va, 8);
  vc = (vc + vd) | 0;
  vb = turned(vb ^ vc, 7);
  [v[a], v[b], v[c], v[d]] = [va, vb, vc, vd];
}

function turned(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}
