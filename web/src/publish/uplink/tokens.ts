/**
 * With which token to publish: the one that was given last, or the one before, whichever is taken. Anybody can make a link
 * with a wrong one, and what was recorded before is not to suffer from that. Pure.
 */
export class Tokens {
  #candidates: string[];
  /** How many were refused, one after the other. */
  #refused = 0;

  /** `known` is what was used before; `offered`, if there is one, was given since. */
  constructor(known: string, offered?: string) {
    this.#candidates = offered === undefined ? [known] : [offered, known];
  }

  /** The one to use now. */
  get(): string {
    return this.#candidates[0]!;
  }

  /** A recorder took it: it is the right one. Whether there was any doubt. */
  taken(): boolean {
    const wasInDoubt = this.#candidates.length > 1;
    this.#candidates = [this.get()];
    this.#refused = 0;
    return wasInDoubt;
  }

  /** A recorder refused it: the next one is to be used. Whether that one was not refused just before. */
  refused(): boolean {
    this.#candidates.push(this.#candidates.shift()!);
    this.#refused += 1;
    return this.#refused % this.#candidates.length !== 0;
  }
}
