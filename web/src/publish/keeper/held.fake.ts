/** For tests: a spool on a disk of its own, and footage for it. */
import { vi } from "vitest";
import { FakeDisk } from "../spool/files.fake";
import { deviceAhead_ms, runningTime_ms } from "../uplink/running-time";
import { Held } from "./held";
import type { Footage } from "./messages";

export const footage = (byte: number): Footage => ({
  bytes: new Uint8Array([byte, byte]),
  captured_ms: runningTime_ms() - 2_000,
  ahead_ms: deviceAhead_ms(),
  duration_ms: 2_000,
  container: "ts",
  init: null,
});

export const events = { kept: vi.fn(), lost: vi.fn() };

export const open = async () => (await Held.open("b", { id: "b", server: "http://r", token: "t", title: "" }, () => 1e9, events))!;

/** An empty disk under everything, and time that stands until it is moved. */
export function begin(): FakeDisk {
  vi.useFakeTimers();
  const disk = new FakeDisk();
  vi.stubGlobal("navigator", disk.navigator);
  vi.spyOn(crypto.subtle, "digest").mockResolvedValue(new ArrayBuffer(32));
  return disk;
}

export function end(): void {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
}
