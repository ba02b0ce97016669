/**
 * Runs where the sound is: gives it away in pieces of about twenty milliseconds.
 */

const PIECE_FRAMES = 1024;

interface Scope {
  readonly sampleRate: number;
  registerProcessor(name: string, processor: new () => object): void;
  AudioWorkletProcessor: new () => { readonly port: MessagePort };
}

export {};

const scope = globalThis as unknown as Scope;

class Tap extends scope.AudioWorkletProcessor {
  #piece: Float32Array<ArrayBuffer>[] = [];
  #frames = 0;

  process([input]: Float32Array[][]): boolean {
    const [first] = input ?? [];
    if (!first) return true;
    if (this.#piece.length !== input!.length) {
      this.#piece = input!.map(() => new Float32Array(PIECE_FRAMES));
      this.#frames = 0;
    }
    input!.forEach((channel, index) => this.#piece[index]!.set(channel, this.#frames));
    this.#frames += first.length;
    if (this.#frames === PIECE_FRAMES) {
      const piece = this.#piece;
      this.port.postMessage(piece, piece.map((channel) => channel.buffer));
      this.#piece = [];
      this.#frames = 0;
    }
    return true;
  }
}

scope.registerProcessor("tap", Tap);
