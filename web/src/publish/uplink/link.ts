/**
 * What the network has carried lately. Pure. The same as publisher/src/link.rs, which need not know the last moment, since
 * it encodes nothing.
 */

/** From how many transfers the rate is judged. */
const TRANSFERS = 16;
/** From how many that of the last moment. */
const TRANSFERS_NOW = 3;

interface Transfer {
  from_ms: number;
  to_ms: number;
  bytes: number;
}

/** The latest transfers, which may have overlapped. */
export class Link {
  #transfers: Transfer[] = [];

  /** `bytes` went through from `from_ms` to `to_ms`, by a clock that does not jump. */
  carried(from_ms: number, to_ms: number, bytes: number): void {
    this.#transfers = [...this.#transfers, { from_ms, to_ms: Math.max(to_ms, from_ms + 1), bytes }].slice(-TRANSFERS);
  }

  /** Bytes per second, over the time in which anything was on its way; `null` before the first transfer. */
  bytesPerSecond(): number | null {
    return rate(this.#transfers);
  }

  /** The same of the last moment: what is encoded now has to go through a link as it is now. */
  bytesPerSecondNow(): number | null {
    return rate(this.#transfers.slice(-TRANSFERS_NOW));
  }
}

function rate(carried: readonly Transfer[]): number | null {
  const transfers = [...carried].sort((a, b) => a.from_ms - b.from_ms);
  let until_ms = -Infinity;
  let busy_ms = 0;
  for (const { from_ms, to_ms } of transfers) {
    busy_ms += Math.max(to_ms - Math.max(from_ms, until_ms), 0);
    until_ms = Math.max(until_ms, to_ms);
  }
  const bytes = transfers.reduce((sum, transfer) => sum + transfer.bytes, 0);
  return busy_ms > 0 ? (bytes * 1000) / busy_ms : null;
}
