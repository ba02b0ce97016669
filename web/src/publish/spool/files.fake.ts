/**
 * An origin private file system in memory, for tests: as much of it as a spool needs, and reads and writes that
 * can be made to fail.
 */
type Entry = FakeFolder | FakeFile;

const missing = (name: string) => new DOMException(`no ${name}`, "NotFoundError");

class FakeFile {
  readonly kind = "file";
  bytes = new Uint8Array();

  constructor(
    private readonly disk: FakeDisk,
    private readonly name: string,
  ) {}

  async getFile(): Promise<File> {
    // At once, so that tests with a clock of their own need not wait for the real one.
    const bytes = Uint8Array.from(this.bytes);
    const text = async () => new TextDecoder().decode(bytes);
    const arrayBuffer = async () => {
      const error = this.disk.unreadable();
      if (error) throw error;
      return bytes.buffer;
    };
    return { size: bytes.length, text, arrayBuffer } as Partial<File> as File;
  }

  async createSyncAccessHandle() {
    return {
      truncate: () => (this.bytes = new Uint8Array()),
      write: (bytes: Uint8Array) => {
        const error = this.disk.failure(this.name);
        if (error) throw error;
        this.bytes = new Uint8Array(bytes);
        return bytes.length;
      },
      flush: () => undefined,
      close: () => undefined,
    };
  }
}

export class FakeFolder {
  readonly kind = "directory";
  readonly files = new Map<string, Entry>();

  constructor(private readonly disk: FakeDisk) {}

  async getDirectoryHandle(name: string, options: { create?: boolean } = {}): Promise<FakeFolder> {
    return this.#get(name, options, () => new FakeFolder(this.disk)) as FakeFolder;
  }

  async getFileHandle(name: string, options: { create?: boolean } = {}): Promise<FakeFile> {
    return this.#get(name, options, () => new FakeFile(this.disk, name)) as FakeFile;
  }

  async removeEntry(name: string): Promise<void> {
    const error = this.disk.stuck(name);
    if (error) throw error;
    await this.disk.removing();
    if (!this.files.delete(name)) throw missing(name);
  }

  async *entries(): AsyncGenerator<[string, Entry]> {
    yield* this.files;
  }

  #get(name: string, { create = false }: { create?: boolean }, make: () => Entry): Entry {
    const found = this.files.get(name) ?? (create ? make() : undefined);
    if (!found) throw missing(name);
    const error = found.kind === "file" && !this.files.has(name) ? this.disk.failure(name) : null;
    if (error) throw error;
    this.files.set(name, found);
    return found;
  }
}

export class FakeDisk {
  /** Why the next write to a file of this name fails, or making one: names need room too. */
  failure: (name: string) => Error | null = () => null;
  /** Why an entry of this name cannot be removed. */
  stuck: (name: string) => Error | null = () => null;
  /** How long it takes to remove an entry. */
  removing: () => Promise<void> = async () => undefined;
  /** Why the next read fails, if it does. */
  unreadable: () => Error | null = () => null;
  readonly root = new FakeFolder(this);

  /** For `vi.stubGlobal("navigator", …)`. */
  readonly navigator = { storage: { getDirectory: async () => this.root } };

  /** The folder of a spool. */
  async spool(id: string): Promise<FakeFolder> {
    const spools = await this.root.getDirectoryHandle("spools", { create: true });
    return spools.getDirectoryHandle(id, { create: true });
  }

  async names(id: string): Promise<string[]> {
    return [...(await this.spool(id)).files.keys()].sort();
  }
}
