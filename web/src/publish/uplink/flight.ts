/**
 * One upload on its way: a segment, or several in a bundle, watched while its bytes go.
 */
import type { SegmentFile } from "../spool/names";
import type { Spool } from "../spool/spool";
import type { Acknowledged, Bundled, Part } from "./bundle";
import { Watched } from "./exchange";
import { RemoteFailure } from "./failure";
import { type Class, hedgeAfter_ms, type InFlight, type Start } from "./policy";
import { asFailure, initPart, type Outgoing, partOf, type Remote } from "./remote";

/** How much longer each further attempt at a segment may stand still, at most: doubled so often. */
const PATIENCE_DOUBLED_MAX = 6;

/** What became of an upload. */
export interface Landed {
  acknowledged: ({ seq: number } & Acknowledged)[];
  failed: { seq: number; failure: RemoteFailure }[];
  /** What may have arrived, or not: it has to be asked. */
  unsure: number[];
}

export interface Flight extends InFlight {
  readonly from_ms: number;
  readonly landing: Promise<Landed>;
  /** Whether nothing has moved for longer than it should take. */
  isStuck(now_ms: number): boolean;
  giveUp(): void;
}

export interface Departure {
  start: Start;
  files: SegmentFile[];
  /** How often it was given up before: on a slow link everything stands still now and then. */
  givenUp: number;
  spool: Spool;
  remote: Remote;
  /** When a segment was captured, by the recorders' clock. */
  captured_ms(file: SegmentFile): number;
  limit_ms: number;
}

/** Begins an upload. */
export function begin(departure: Departure): Flight {
  const { start, files, givenUp } = departure;
  const watched = new Watched();
  const longest_ms = Math.max(...files.map((file) => file.duration_ms));
  const stuckAfter_ms = hedgeAfter_ms(longest_ms) * 2 ** Math.min(givenUp, PATIENCE_DOUBLED_MAX);
  const sending = new Sending(departure, watched);
  return {
    seqs: start.seqs,
    class: start.class satisfies Class,
    recorder: start.recorder,
    from_ms: performance.now(),
    landing: files.length === 1 ? sending.one(files[0]!) : sending.many(files),
    get moved_ms() {
      return watched.moved_ms;
    },
    isStuck: (now_ms) => now_ms - watched.moved_ms >= stuckAfter_ms,
    giveUp: () => watched.giveUp(),
  };
}

class Sending {
  constructor(
    private readonly departure: Departure,
    private readonly watched: Watched,
  ) {}

  async one(file: SegmentFile): Promise<Landed> {
    const { seq } = file;
    try {
      return { acknowledged: [{ seq, ...(await this.#put(file)) }], failed: [], unsure: [] };
    } catch (error) {
      return { acknowledged: [], failed: [{ seq, failure: asFailure(error) }], unsure: [] };
    }
  }

  async #put(file: SegmentFile): Promise<Acknowledged> {
    const { remote, start, spool, limit_ms } = this.departure;
    const outgoing = await this.#outgoing(file);
    const put = () => remote.putSegment(start.recorder, outgoing, limit_ms, this.watched);
    try {
      return await put();
    } catch (error) {
      if (!(error instanceof RemoteFailure) || error.kind !== "no-init" || file.init === null) throw error;
      await remote.putInit(start.recorder, await spool.readInit(file.init), limit_ms, this.watched);
      return await put().catch((error: unknown) => {
        const isStill = error instanceof RemoteFailure && error.kind === "no-init";
        throw isStill ? new RemoteFailure("unexpected", "does not have the init section that it took") : error;
      });
    }
  }

  async #outgoing(segment: SegmentFile): Promise<Outgoing> {
    const bytes = await this.departure.spool.read(segment);
    return { segment, bytes, captured_ms: this.departure.captured_ms(segment) };
  }

  /** Many segments, each init section before the first that needs it. */
  async many(files: readonly SegmentFile[]): Promise<Landed> {
    const { remote, start, spool, limit_ms } = this.departure;
    const parts: Part[] = [];
    const inits = new Set<string>();
    let unreadable: RemoteFailure | null = null;
    for (const file of files) {
      try {
        if (file.init !== null && !inits.has(file.init)) parts.push(await initPart(await spool.readInit(file.init)));
        if (file.init !== null) inits.add(file.init);
        parts.push(await partOf(await this.#outgoing(file)));
      } catch (error) {
        // What is before it goes without it; what comes after it goes with the next.
        unreadable = asFailure(error);
        break;
      }
    }
    let bundled: Bundled = { segments: [], broke: null };
    if (parts.length > 0) bundled = await remote.putBundle(start.recorder, parts, limit_ms, this.watched);
    if (bundled.broke === null && unreadable) bundled.segments.push(unreadable);
    return landed(files, bundled);
  }
}

function landed(files: readonly SegmentFile[], { segments, broke }: Bundled): Landed {
  const landed: Landed = { acknowledged: [], failed: [], unsure: [] };
  files.forEach(({ seq }, index) => {
    const answer = segments[index];
    if (answer instanceof RemoteFailure) landed.failed.push({ seq, failure: answer });
    else if (answer) landed.acknowledged.push({ seq, ...answer });
    else if (index === segments.length && broke) landed.failed.push({ seq, failure: broke });
    else landed.unsure.push(seq);
  });
  return landed;
}
