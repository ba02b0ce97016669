/** A spool at work on a disk and with recorders that fail. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { FakeDisk } from "../spool/files.fake";
import { segmentName } from "../spool/names";
import { Spool } from "../spool/spool";
import { allSpools, Held, removeSpool } from "./held";
import type { Footage, WhyLost } from "./messages";
import { Shelf } from "./shelf";

const asked: string[] = [];
vi.mock("../uplink/exchange", async (original) => ({
  ...(await original<object>()),
  exchange: async ({ token, url }: { token: string; url: string }) => {
    asked.push(token);
    if (url.endsWith("/route")) return { status: 404, retryAfter: null, json: null };
    if (token === "right") return { status: 200, retryAfter: null, json: { state: "live", server_time_ms: 1 } };
    return { status: 401, retryAfter: null, json: { type: "/problems/unauthorized" } };
  },
}));

const address = { id: "b", server: "http://r", token: "wrong", title: "Regatta" };
const footage = (length = 3): Footage => ({
  bytes: new Uint8Array(length),
  captured_ms: 1_790_000_000_000,
  ahead_ms: 0,
  duration_ms: 2_000,
  container: "ts",
  init: null,
});

let disk = new FakeDisk();
const kept: number[] = [];
const lost: WhyLost[] = [];
const events = { kept: (seq: number) => kept.push(seq), lost: (why: WhyLost) => lost.push(why) };
const open = async () => (await Held.open("b", address, () => 0, events))!;

beforeEach(() => {
  vi.useFakeTimers();
  disk = new FakeDisk();
  vi.stubGlobal("navigator", disk.navigator);
  for (const log of [kept, lost, asked]) log.length = 0;
  for (const say of ["warn", "error"] as const) vi.spyOn(console, say).mockReturnValue();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

it("tries again whatever a write failed of, and loses nothing meanwhile", async () => {
  const held = await open();
  for (const [name, isFailing] of [["InvalidStateError", true], ["QuotaExceededError", false]] as const) {
    kept.length = 0;
    disk.failure = () => new DOMException("not now", name);
    held.keep(footage());
    await vi.advanceTimersByTimeAsync(5_000);
    expect([kept.length, lost, held.isFailing, held.waitingBytes]).toEqual([0, [], isFailing, 3]);
    expect(held.status().unwritten_ms).toBe(2_000);
    disk.failure = () => null;
    await vi.advanceTimersByTimeAsync(2_000);
    expect([kept.length, lost, held.isFailing, held.waitingBytes]).toEqual([1, [], false, 0]);
    expect(held.status().unwritten_ms).toBe(0);
  }
  held.uplink.destroy();
});

it("says why what is too much to wait for is lost", async () => {
  const held = await open();
  disk.failure = () => new DOMException("broken", "InvalidStateError");
  held.keep(footage());
  await vi.advanceTimersByTimeAsync(2_000);
  held.keep(footage(64 << 20));
  expect(lost).toEqual([{ kind: "failed" }]);
  disk.failure = () => new DOMException("full", "QuotaExceededError");
  await vi.advanceTimersByTimeAsync(2_000);
  held.keep(footage(64 << 20));
  expect(lost.at(-1)).toEqual({ kind: "no-room" });
  held.uplink.destroy();
});

it("is gone from the disk when it is discarded, with what waits to be written", async () => {
  const held = await open();
  held.keep(footage());
  await vi.advanceTimersByTimeAsync(0);
  disk.failure = () => new DOMException("broken", "InvalidStateError");
  held.keep(footage());
  await vi.advanceTimersByTimeAsync(500);
  await held.discard();
  disk.failure = () => null;
  await vi.advanceTimersByTimeAsync(5_000);
  expect([kept, lost, await allSpools()]).toEqual([[0], [], []]);
});

it("gives another tab all that was recorded, and changes nothing any more", async () => {
  const held = await open();
  disk.failure = () => new DOMException("busy", "InvalidStateError");
  held.keep(footage());
  held.keep(footage());
  const handedOver = vi.fn();
  const done = held.written().then(() => held.handOver()).then(handedOver);
  await vi.advanceTimersByTimeAsync(5_000);
  expect([handedOver.mock.calls.length, kept]).toEqual([0, []]);
  disk.failure = () => null;
  await vi.advanceTimersByTimeAsync(2_000);
  await done;
  const before = await disk.names("b");
  expect([kept, before.filter((name) => name.endsWith(".ts")).length]).toEqual([[0, 1], 2]);
  asked.length = 0;
  held.mark("ended", true);
  held.keep(footage());
  await expect(held.readdress({ ...address, token: "right" })).resolves.toBeUndefined();
  await vi.advanceTimersByTimeAsync(30_000);
  expect([await disk.names("b"), asked, lost, held.isGone]).toEqual([before, [], [{ kind: "failed" }], true]);
});

it("is given to another tab only when what is being deleted is deleted", async () => {
  const held = await open();
  held.keep(footage());
  await vi.advanceTimersByTimeAsync(0);
  let isDeleted = () => {};
  disk.removing = () => new Promise((resolve) => (isDeleted = resolve));
  const destroyed = held.destroy();
  const handedOver = vi.fn();
  const done = held.handOver().then(handedOver);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(handedOver).not.toHaveBeenCalled();
  isDeleted();
  await Promise.all([destroyed, done]);
  expect(await allSpools()).toEqual([]);
});

it("is not said to be sent and safe while it is deleted, and can be deleted again when that fails", async () => {
  const held = await open();
  held.keep(footage());
  await vi.advanceTimersByTimeAsync(0);
  disk.stuck = (name) => (name === "b" ? new DOMException("busy", "NoModificationAllowedError") : null);
  const discarded = held.discard();
  expect([held.status().isDone, held.isGone]).toEqual([false, true]);
  await expect(discarded).rejects.toThrow("busy");
  expect([await allSpools(), held.isGone]).toEqual([["b"], true]);
  disk.stuck = () => null;
  await held.discard();
  expect([held.status().isDone, await allSpools()]).toEqual([false, []]);
});

it("takes another token, forgets the trouble with the old one, and writes it down, also without room", async () => {
  const held = await open();
  await vi.advanceTimersByTimeAsync(3_000);
  expect(held.uplink.status().trouble?.kind).toBe("unauthorized");
  expect(held.uplink.status().isKnown).toBe(false);
  expect(new Set(asked)).toEqual(new Set(["wrong"]));
  await held.readdress({ ...address, title: "", token: "right" });
  expect(held.uplink.status().trouble).toBeNull();
  await vi.advanceTimersByTimeAsync(3_000);
  expect([asked.at(-1), held.uplink.status().isKnown]).toEqual(["right", true]);
  held.uplink.destroy();
  expect((await Spool.open("b", null))?.about).toMatchObject({ token: "right", title: "Regatta", server: "http://r" });
});

it("keeps a token that is right when a wrong one is given, also if nobody can be asked before the next visit", async () => {
  const right = { ...address, token: "right" };
  for (const isOpen of [true, false]) {
    const held = (await Held.open("b", right, () => 0, events))!;
    if (isOpen) await held.readdress(address);
    else held.uplink.destroy();
    const after = isOpen ? held : await open();
    await vi.advanceTimersByTimeAsync(3_000);
    const { trouble, isKnown } = after.uplink.status();
    expect([trouble, isKnown, asked.at(-1), asked.includes("wrong")]).toEqual([null, true, "right", true]);
    after.uplink.destroy();
    expect((await Spool.open("b", null))?.about).toMatchObject({ token: "right" });
    expect((await Spool.open("b", null))?.about.offered).toBeUndefined();
    asked.length = 0;
  }
});

it("says that what is recorded to a spool that is deleted is lost, and keeps it when that is opened anew", async () => {
  const shelf = new Shelf<Held>({ all: allSpools, hold: async () => true, holdLater: async () => undefined, letGo: () => undefined, open: (id, given) => Held.open(id, given, () => 0, events), remove: removeSpool });
  expect(await shelf.adopt(address)).toBeNull();
  const done = shelf.spools.get("b")!;
  done.uplink.destroy();
  await done.destroy();
  done.keep(footage());
  await vi.advanceTimersByTimeAsync(0);
  expect([kept, lost]).toEqual([[], [{ kind: "failed" }]]);
  expect(await shelf.adopt(address)).toBeNull();
  const anew = shelf.spools.get("b")!;
  anew.keep(footage());
  await vi.advanceTimersByTimeAsync(0);
  expect([kept, lost.length, await allSpools()]).toEqual([[0], 1, ["b"]]);
  anew.uplink.destroy();
});

it("is not done while it is recorded to again", async () => {
  const held = await open();
  held.mark("ended", true);
  await vi.advanceTimersByTimeAsync(0);
  expect(held.status().said).toBe("ended");
  held.begin();
  expect(held.status().said).toBe("recording");
  held.uplink.destroy();
});

it("takes what is gone already as deleted", async () => {
  const spool = (await Spool.open("b", address))!;
  const segment = { seq: 0, captured_ms: 1, duration_ms: 2, bytes: 3, digest: "a".repeat(32), container: "ts", init: null } as const;
  await spool.keep(segment, new Uint8Array(3));
  await spool.remove(segment);
  await spool.remove(segment);
  expect(await disk.names("b")).toContain(`${segmentName(segment)}.gone`);
});

it("does not hide footage of which it is not known what it is of", async () => {
  expect(await Spool.open("b", address)).not.toBeNull();
  const folder = await disk.spool("b");
  folder.files.clear();
  expect(await Spool.open("b", null)).toBeNull();
  const segment = { seq: 0, captured_ms: 1, duration_ms: 2, bytes: 0, digest: "a".repeat(32), container: "ts", init: null } as const;
  await folder.getFileHandle(segmentName(segment), { create: true });
  await expect(Spool.open("b", null)).rejects.toThrow("not written down");
  expect(await Spool.open("b", address)).not.toBeNull();
});

it("saves to a file what can be had, and says how much cannot", async () => {
  const held = await open();
  for (const length of [1, 2, 3]) held.keep(footage(length));
  await vi.advanceTimersByTimeAsync(0);
  const { files } = await disk.spool("b");
  const segments = [...files.keys()].filter((name) => name.endsWith(".ts"));
  files.delete(segments[1]!);
  const saved = await held.save();
  expect([saved.files.map(({ type }) => type), saved.left]).toEqual([["video/mp2t"], 1]);
  for (const name of segments) files.delete(name);
  expect(await held.save()).toEqual({ files: [], left: 3 });
  held.uplink.destroy();
});

it("saves nothing that no player can play for want of its init section", async () => {
  const held = await open();
  held.keep({ ...footage(1), container: "m4s", init: new Uint8Array(4) });
  held.keep(footage(2));
  await vi.advanceTimersByTimeAsync(0);
  const { files } = await disk.spool("b");
  files.delete([...files.keys()].find((name) => name.startsWith("init-"))!);
  const saved = await held.save();
  expect([saved.files.map(({ type }) => type), saved.left]).toEqual([["video/mp2t"], 1]);
  held.uplink.destroy();
});
