/**
 * What the broadcasts are called that other tabs work on, as their spools say.
 */

/** How long to wait before what could not be read is read again: it may just be written anew. */
const READ_AGAIN_MS = 10_000;

export class Titles {
  readonly #known = new Map<string, string>();

  constructor(private readonly read: (id: string) => Promise<string>) {}

  /** Empty as long as it is not known. */
  get(id: string): string {
    if (!this.#known.has(id)) void this.#learn(id);
    return this.#known.get(id) ?? "";
  }

  async #learn(id: string): Promise<void> {
    this.#known.set(id, "");
    try {
      this.#known.set(id, await this.read(id));
    } catch (error) {
      console.warn(`no title of the spool ${id}`, error);
      setTimeout(() => this.#known.delete(id), READ_AGAIN_MS);
    }
  }
}
