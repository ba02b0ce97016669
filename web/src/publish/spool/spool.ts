/**
 * The durable store of one broadcast in the browser: a folder of the origin's private file system, a file for each
 * segment. What `keep` has returned for survives a killed browser. In a worker only: elsewhere no file can be flushed.
 */
import { digestOf } from "../uplink/blake3";
import { type Found, type Listing, readListing } from "./listing";
import type { Range } from "../uplink/seqs";
import type { ClockNote } from "../uplink/times";
import { aboutName, clockName, goneName, initName, othersName, type SegmentFile, segmentName } from "./names";

const FOLDER = "spools";

/** What a spool is of. */
export interface About {
  id: string;
  /** `https://host:port` */
  server: string;
  token: string;
  /** Another token that was given since. Nobody has said yet which of them is right. */
  offered?: string;
  title: string;
  /** Who was named as a recorder last. */
  recorders: string[];
}

/** What the publisher has said, kept as an empty file of this name. */
export type Mark = "paused" | "ended";

export class SpoolFull extends Error {}

/** What was written is not what is there, or nothing is. Whatever else a read fails of may pass. */
export class Damaged extends Error {}

/** A file of several segments; `null` if none of them can be had. */
export interface Joined {
  file: Blob | null;
  /** How many are not in it. */
  left: number;
}

/** What is given of a broadcast. */
export type Given = Pick<About, "id" | "server" | "token" | "title">;

/** The ids of all spools of this origin. */
export async function allSpools(): Promise<string[]> {
  const ids: string[] = [];
  for await (const [name, handle] of (await folder()).entries()) if (handle.kind === "directory") ids.push(name);
  return ids.sort();
}

/** Deletes a spool with all that is in it, also one that cannot be opened. */
export async function removeSpool(id: string): Promise<void> {
  await (await folder()).removeEntry(id, { recursive: true });
}

async function folder(): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(FOLDER, { create: true });
}

/** What the broadcast of a spool is called, also while another tab has it; it may fail while that writes it anew. */
export async function titleOf(id: string): Promise<string> {
  const directory = await (await folder()).getDirectoryHandle(id);
  const names: string[] = [];
  for await (const [name] of directory.entries()) names.push(name);
  return (await newest(directory, readListing(names.map((name) => ({ name, bytes: 0 }))).about))?.title ?? "";
}

export class Spool {
  #marks = new Set<Mark>();
  #aboutVersion = 0;
  #isClosed = false;
  readonly #changes = new Set<Promise<unknown>>();

  private constructor(
    private readonly directory: FileSystemDirectoryHandle,
    public about: About,
    /** As it was found. */
    readonly found: Listing,
  ) {}

  /** Opens a spool, making it if there is none and it is known what of. `null` if there is nothing in it. */
  static async open(id: string, given: Given | null): Promise<Spool | null> {
    const parent = await folder();
    const directory = await parent.getDirectoryHandle(id, { create: given !== null });
    const files: Found[] = [];
    const marks: Mark[] = [];
    for await (const [name, handle] of directory.entries()) {
      if (handle.kind !== "file") continue;
      if (name === "paused" || name === "ended") marks.push(name);
      files.push({ name, bytes: (await (handle as FileSystemFileHandle).getFile()).size });
    }
    const listing = readListing(files);
    // They are left out of the listing, whether they can be removed now or not.
    for (const name of [...listing.torn, ...listing.twice, ...listing.idle]) {
      await directory.removeEntry(name).catch((error: unknown) => console.warn(`${name} is not removed`, error));
    }
    const known = await newest(directory, listing.about);
    const about = merged(known, given);
    if (about === null && listing.segments.length > 0) throw new Error("it is not written down what this footage is of");
    if (about === null) return null;
    const spool = new Spool(directory, about, listing);
    spool.#aboutVersion = Math.max(0, ...listing.about.map((name) => Number(name.replace(/\D/g, ""))));
    spool.#marks = new Set(marks);
    if (JSON.stringify(about) !== JSON.stringify(known)) await spool.describe(about);
    return spool;
  }

  /** Another tab has it from now on: nothing is changed any more, and what was begun is done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#changes);
  }

  async #change<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new Error("another tab has this spool");
    const changed = work();
    this.#changes.add(changed);
    return changed.finally(() => this.#changes.delete(changed));
  }

  /** Writes down what this is of, beside what was written before, and then instead of it. */
  describe(about: About): Promise<void> {
    return this.#change(async () => {
      this.about = about;
      const before = this.#aboutVersion;
      this.#aboutVersion += 1;
      await write(this.directory, aboutName(this.#aboutVersion), new TextEncoder().encode(JSON.stringify(about)));
      if (before > 0) await this.directory.removeEntry(aboutName(before)).catch(() => undefined);
    });
  }

  /** It is known better how to reach the broadcast. */
  async readdress(given: Given): Promise<void> {
    const about = merged(this.about, given);
    if (about !== null && JSON.stringify(about) !== JSON.stringify(this.about)) await this.describe(about);
  }

  /** This token was taken: it is the right one, and another is not needed any more. */
  async accepted(token: string): Promise<void> {
    if (this.about.offered === undefined) return;
    const { offered: _, ...about } = this.about;
    await this.describe({ ...about, token });
  }

  /** Makes a segment durable. */
  keep(segment: SegmentFile, bytes: Uint8Array): Promise<void> {
    return this.#change(() => write(this.directory, segmentName(segment), bytes));
  }

  /** Makes an init section durable. Many segments need it: it is not written over while it is whole. */
  keepInit(bytes: Uint8Array): Promise<{ digest: string; isWritten: boolean }> {
    return this.#change(async () => {
      const digest = digestOf(bytes);
      const isThere = await this.readInit(digest).then(
        () => true,
        (error: unknown) => {
          if (error instanceof Damaged) return false;
          throw error;
        },
      );
      if (!isThere) await write(this.directory, initName(digest), bytes);
      return { digest, isWritten: !isThere };
    });
  }

  /** The bytes of a segment, if they are what was written. */
  async read(segment: SegmentFile): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await this.#bytes(segmentName(segment));
    if (digestOf(bytes) !== segment.digest) throw new Damaged(`segment ${segment.seq} of the spool is damaged`);
    return bytes;
  }

  async readInit(digest: string): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await this.#bytes(initName(digest));
    if (digestOf(bytes) !== digest) throw new Damaged(`the init section ${digest} of the spool is damaged`);
    return bytes;
  }

  async #bytes(name: string): Promise<Uint8Array<ArrayBuffer>> {
    try {
      return new Uint8Array(await (await this.#file(name)).arrayBuffer());
    } catch (error) {
      throw isMissing(error) ? new Damaged(`${name} of the spool is not there`) : error;
    }
  }

  /** Deletes a segment that is safe; its name stays. */
  remove(segment: SegmentFile): Promise<void> {
    return this.#change(async () => {
      try {
        await create(this.directory, goneName(segment));
      } catch (error) {
        if (!(error instanceof SpoolFull)) throw error;
        // Names need room too. Should this break off between, the next visit asks for it, and hears that it is safe.
        await this.#removeSegment(segment);
        await create(this.directory, goneName(segment));
      }
      await this.#removeSegment(segment);
    });
  }

  async #removeSegment(segment: SegmentFile): Promise<void> {
    await this.directory.removeEntry(segmentName(segment)).catch((error: unknown) => {
      // It is gone already: all is as it should be.
      if (!isMissing(error)) throw error;
    });
  }

  /** Notes that somebody else has used these numbers: nothing of ours is missing there. */
  noteOthers(range: Range): Promise<void> {
    return this.#change(() => create(this.directory, othersName(range)));
  }

  /** Notes how far the recorders' clock is from ours, and forgets the note that this one replaces. */
  noteClock(note: ClockNote, before: ClockNote | null): Promise<void> {
    return this.#change(async () => {
      await create(this.directory, clockName(note));
      const isOther = before !== null && clockName(before) !== clockName(note);
      if (isOther) await this.directory.removeEntry(clockName(before)).catch(() => undefined);
    });
  }

  /** Removes a segment that is kept under another number. */
  forget(segment: SegmentFile): Promise<void> {
    return this.#change(() => this.directory.removeEntry(segmentName(segment)));
  }

  /** Segments that are `playable` as one file, as that file: those of them that can be had. */
  async joined(segments: readonly SegmentFile[]): Promise<Joined> {
    const [first] = segments;
    const init = first?.init ? await this.#had(this.readInit(first.init)) : [];
    const isPlayable = !first?.init || init.length > 0;
    const files = isPlayable ? await Promise.all(segments.map((segment) => this.#had(this.#file(segmentName(segment))))) : [];
    const had = files.flat();
    const type = first?.container === "m4s" ? "video/mp4" : "video/mp2t";
    return { file: had.length > 0 ? new Blob([...init, ...had], { type }) : null, left: segments.length - had.length };
  }

  async #had<T>(reading: Promise<T>): Promise<T[]> {
    try {
      return [await reading];
    } catch (error) {
      console.warn("left out of the file", error);
      return [];
    }
  }

  async #file(name: string): Promise<File> {
    return (await this.directory.getFileHandle(name)).getFile();
  }

  is(mark: Mark): boolean {
    return this.#marks.has(mark);
  }

  mark(mark: Mark): Promise<void> {
    return this.#change(async () => {
      await create(this.directory, mark);
      this.#marks.add(mark);
    });
  }

  async unmark(mark: Mark): Promise<void> {
    this.#marks.delete(mark);
    await this.#change(() => this.directory.removeEntry(mark).catch(() => undefined));
  }

  /** Deletes all of it. */
  destroy(): Promise<void> {
    return removeSpool(this.about.id);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotFoundError";
}

/** A token that was given once stays until another one was taken: anybody can make a wrong link. A link may have no title. */
function merged(known: About | null, given: Given | null): About | null {
  if (given === null) return known;
  const { id, server, token, title } = given;
  if (known === null) return { id, server, token, title, recorders: [] };
  const offered = token === known.token ? known.offered : token;
  return { ...known, server, title: title || known.title, ...(offered === undefined ? {} : { offered }) };
}

/** The newest description that was written whole. */
async function newest(directory: FileSystemDirectoryHandle, names: readonly string[]): Promise<About | null> {
  for (const name of names) {
    const text = await (await (await directory.getFileHandle(name)).getFile()).text();
    try {
      return JSON.parse(text) as About;
    } catch {
      // Torn: the one before it is whole.
    }
  }
  return null;
}

/** Writes a file and waits until it is on the disk. What is not all written is removed, if that can be done. */
async function write(directory: FileSystemDirectoryHandle, name: string, bytes: Uint8Array): Promise<void> {
  try {
    const handle = await directory.getFileHandle(name, { create: true });
    const access = await handle.createSyncAccessHandle();
    try {
      access.truncate(0);
      for (let at = 0; at < bytes.length; ) {
        const written = access.write(bytes.subarray(at) as Uint8Array<ArrayBuffer>, { at });
        if (written <= 0) throw new SpoolFull("nothing more can be written");
        at += written;
      }
      access.flush();
    } finally {
      access.close();
    }
  } catch (error) {
    await directory.removeEntry(name).catch(() => undefined);
    throw fullOr(error);
  }
}

/** Makes an empty file. */
async function create(directory: FileSystemDirectoryHandle, name: string): Promise<void> {
  await directory.getFileHandle(name, { create: true }).catch((error: unknown) => {
    throw fullOr(error);
  });
}

function fullOr(error: unknown): unknown {
  return error instanceof DOMException && error.name === "QuotaExceededError" ? new SpoolFull(error.message) : error;
}
