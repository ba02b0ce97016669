/**
 * The keeper: a worker that takes what is recorded, makes it durable, and sends it, with all that earlier visits left.
 */
import type { FromKeeper, KeeperStatus, StorageStatus, ToKeeper } from "./messages";
import { allSpools, Held, hold, holdLater } from "./held";
import { keepBytes, storageStatus } from "./storage";

const STATUS_EVERY_MS = 250;
const STORAGE_EVERY_MS = 5_000;

const spools = new Map<string, Held>();
const held = new Set<string>();
let storage: StorageStatus = storageStatus(0, Number.MAX_SAFE_INTEGER, 0);
let shown = "";

function post(message: FromKeeper): void {
  postMessage(message);
}

addEventListener("message", ({ data }: MessageEvent<ToKeeper>) => {
  switch (data.kind) {
    case "adopt":
      return void adopt(data.address);
    case "keep":
      return spools.get(data.id)?.keep(data.footage);
    case "mark":
      return spools.get(data.id)?.mark(data.mark, data.on);
    case "report":
      return post({ kind: "report", id: data.id, segments: spools.get(data.id)?.uplink.report() ?? [] });
    case "save":
      return void save(data.id);
    case "online":
      return spools.forEach((spool) => spool.uplink.tryNow());
  }
});
addEventListener("online", () => spools.forEach((spool) => spool.uplink.tryNow()));

async function adopt(address: { id: string; server: string; token: string; title: string }): Promise<void> {
  const { id } = address;
  try {
    await taking;
    const isOurs = spools.has(id) || (await hold(id));
    if (isOurs && !spools.has(id)) await open(id, address.token === "" ? null : address);
    post({ kind: "adopted", id, why: isOurs ? null : { kind: "held" } });
  } catch (error) {
    post({ kind: "adopted", id, why: { kind: "failed", detail: String(error) } });
  }
}

async function save(id: string): Promise<void> {
  const spool = spools.get(id);
  if (!spool) return;
  const file = await spool.save();
  const title = spool.spool.about.title.replace(/[^\p{L}\p{N} _-]/gu, "").trim() || id;
  post({ kind: "saved", id, name: `${title}.${file.type === "video/mp4" ? "mp4" : "ts"}`, file });
}

async function open(id: string, address: Parameters<typeof adopt>[0] | null): Promise<void> {
  const spool = await Held.open(id, address, () => keepBytes(storage), {
    kept: (seq, bytes) => post({ kind: "kept", id, seq, bytes }),
    lost: (why) => post({ kind: "lost", id, why }),
  });
  if (spool) spools.set(id, spool);
}

/** What earlier visits left is sent by itself; what another tab works on, once that is closed. */
async function takeUpAll(): Promise<void> {
  for (const id of await allSpools()) {
    if (spools.has(id)) continue;
    if (await hold(id)) await open(id, null);
    else void takeUpLater(id);
  }
}

async function takeUpLater(id: string): Promise<void> {
  held.add(id);
  await holdLater(id);
  held.delete(id);
  // The other tab may have sent all of it.
  if ((await allSpools()).includes(id)) await open(id, null);
}

async function look(): Promise<void> {
  const { usage = 0, quota = Number.MAX_SAFE_INTEGER } = await navigator.storage.estimate();
  const waiting = [...spools.values()].reduce((sum, spool) => sum + spool.waitingBytes, 0);
  storage = storageStatus(usage, quota, waiting);
}

/** Says how things stand, if that has changed; and cleans up what is done. */
function show(): void {
  const status: KeeperStatus = { spools: [...spools.values()].map((spool) => spool.uplink.status()), held: [...held], storage };
  const text = JSON.stringify(status);
  if (text === shown) return;
  shown = text;
  post({ kind: "status", status });
  for (const spool of spools.values()) if (spool.uplink.status().isDone) void spool.destroy();
}

setInterval(show, STATUS_EVERY_MS);
setInterval(() => void look(), STORAGE_EVERY_MS);
void look();
/** Until what is left is taken up, nothing else is opened. */
const taking = takeUpAll().catch((error: unknown) => console.error("cannot read the spools", error));
