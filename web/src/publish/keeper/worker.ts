/**
 * The keeper: a worker that takes what is recorded, makes it durable, and sends it, with all that earlier visits left.
 */
import { titleOf } from "../spool/spool";
import { Claims } from "./claims";
import { allSpools, Held, removeSpool } from "./held";
import { goBehind, hold, holdLater, letGo } from "./locks";
import type { Address, Elsewhere, Footage, FromKeeper, KeeperStatus, StorageStatus, ToKeeper } from "./messages";
import { Shelf } from "./shelf";
import { keepBytes, storageStatus } from "./storage";
import { Titles } from "./titles";

const STATUS_EVERY_MS = 250;
const STORAGE_EVERY_MS = 5_000;
const OPEN_AGAIN_EVERY_MS = 10_000;

let storage: StorageStatus = storageStatus(0, Number.MAX_SAFE_INTEGER, 0);
let shown = "";
const shelf = new Shelf<Held>({ all: allSpools, hold, holdLater, letGo, open, remove: removeSpool });
const claims = new Claims(new BroadcastChannel("headwater-spools"), crypto.randomUUID(), {
  has: (id) => shelf.has(id),
  wanted: (id) => post({ kind: "wanted", id }),
  goBehind,
});
const { spools } = shelf;
const titles = new Titles(titleOf);

function post(message: FromKeeper): void {
  postMessage(message);
}

addEventListener("message", ({ data }: MessageEvent<ToKeeper>) => {
  switch (data.kind) {
    case "adopt":
      return void adopt(data.address);
    case "know":
      return void shelf.know(data.address);
    case "keep":
      return keep(data.id, data.footage);
    case "mark":
      return spools.get(data.id)?.mark(data.mark, data.on);
    case "report":
      return post({ kind: "report", id: data.id, segments: spools.get(data.id)?.uplink.report() ?? [] });
    case "save":
      return void save(data.id).catch((error: unknown) => {
        console.error("cannot save to a file", error);
        post({ kind: "not-saved", id: data.id });
      });
    case "discard":
      return void shelf.discard(data.id);
    case "take-over":
      return claims.want(data.id);
    case "hand-over":
      return void handOver(data.id);
    case "answer":
      return claims.answer(data.id, data.answer);
    case "online":
      return spools.forEach((spool) => spool.uplink.tryNow());
  }
});
addEventListener("online", () => spools.forEach((spool) => spool.uplink.tryNow()));

async function adopt(address: Address): Promise<void> {
  post({ kind: "adopted", id: address.id, why: await shelf.adopt(address) });
}

async function handOver(id: string): Promise<void> {
  const isGiven = await shelf.handOver(id).catch(() => false);
  post({ kind: "handed-over", id, isGiven });
}

function keep(id: string, footage: Footage): void {
  const spool = spools.get(id);
  if (spool) spool.keep(footage);
  else post({ kind: "lost", id, why: { kind: "failed" } });
}

async function save(id: string): Promise<void> {
  const spool = spools.get(id);
  const { files, left } = (await spool?.save()) ?? { files: [], left: 0 };
  if (!spool || files.length === 0) return post({ kind: "not-saved", id });
  if (left > 0) post({ kind: "left-out", id, segments: left });
  const title = spool.spool.about.title.replace(/[^\p{L}\p{N} _-]/gu, "").trim() || id;
  for (const [index, file] of files.entries()) {
    const part = files.length === 1 ? "" : ` ${index + 1}`;
    post({ kind: "saved", id, name: `${title}${part}.${file.type === "video/mp4" ? "mp4" : "ts"}`, file });
  }
}

async function open(id: string, address: Address | null): Promise<Held | null> {
  return Held.open(id, address, () => keepBytes(storage), {
    kept: (seq, bytes) => post({ kind: "kept", id, seq, bytes }),
    lost: (why) => post({ kind: "lost", id, why }),
  });
}

async function look(): Promise<void> {
  const { usage = 0, quota = Number.MAX_SAFE_INTEGER } = await navigator.storage.estimate();
  const waiting = [...spools.values()].reduce((sum, spool) => sum + spool.waitingBytes, 0);
  const isFailing = [...spools.values()].some((spool) => spool.isFailing);
  storage = storageStatus(usage, quota, waiting, isFailing);
}

/** Says how things stand, if that has changed; and cleans up what is done. */
function show(): void {
  claims.keepOnly(shelf.held);
  for (const id of shelf.leaving.keys()) claims.answer(id, spools.get(id)?.isHeldUp ? "held-up" : "coming");
  const status: KeeperStatus = {
    spools: [...spools.values()].map((spool) => spool.status()),
    held: [...shelf.held].map(elsewhere),
    unreadable: [...shelf.unreadable],
    storage,
  };
  const text = JSON.stringify(status);
  if (text === shown) return;
  shown = text;
  post({ kind: "status", status });
  for (const spool of spools.values()) {
    if (spool.uplink.isDone) spool.destroy().catch((error: unknown) => console.warn("what is done is not deleted", error));
  }
}

function elsewhere(id: string): Elsewhere {
  return { id, title: titles.get(id), state: claims.get(id) ?? (shelf.handedOver.has(id) ? "taken-over" : "there") };
}

setInterval(show, STATUS_EVERY_MS);
setInterval(() => void look(), STORAGE_EVERY_MS);
setInterval(() => void shelf.openAgain(), OPEN_AGAIN_EVERY_MS);
void look();
