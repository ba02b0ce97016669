/**
 * How much room there is, and what that means. Pure.
 */
import type { StorageStatus } from "./messages";

/** Below this much room, what is safe is deleted at once. */
export const LOW_BYTES = 128 << 20;
/** Below this much, what is recorded may soon find no place. */
export const FULL_BYTES = 16 << 20;
/** How much of what is safe stays while there is room. */
export const KEEP_BYTES = 64 << 20;

/** `waiting`: the bytes that could not be written. */
export function storageStatus(used: number, quota: number, waiting: number, isFailing = false): StorageStatus {
  const room = Math.max(0, quota - used);
  const state = isFailing ? "failing" : waiting > 0 || room < FULL_BYTES ? "full" : room < LOW_BYTES ? "low" : "roomy";
  return { used, quota, waiting, state };
}

/** How much of what is safe may stay in each spool. */
export function keepBytes(storage: StorageStatus): number {
  return storage.state === "roomy" ? KEEP_BYTES : 0;
}
