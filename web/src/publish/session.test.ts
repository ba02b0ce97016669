/** What the person does, however quickly, against a camera and a keeper that are slow. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { KeeperStatus } from "./keeper/messages";

const said: string[] = [];
const slow = () => new Promise<void>((resolve) => setTimeout(resolve, 50));
const adopted: string[] = [];
let failing: "nothing" | "recording" | "adopting" = "nothing";
let awake = false;

vi.mock("./camera", () => ({
  Camera: class {
    sound: object | null = null;
    hasMicrophone = false;
    openMicrophone = async () => void (this.sound = { level: 0, wake: async () => undefined });
    isSilent = false;
    isDeaf = false;
    watch = () => undefined;
    settings = {};
    microphoneSettings = {};
    open = slow;
    take = () => said.push("take");
    rest = () => said.push("rest");
    destroy = slow;
  },
}));
vi.mock("./capture/recording", () => ({
  Recording: class {
    recorded_ms = 1_000;
    bitrate = 1;
    size = null;
    readonly hasSound: boolean;
    constructor(sound: object | null) {
      this.hasSound = sound !== null;
    }
    async begin() {
      await slow();
      if (failing === "recording") throw new Error("no encoder");
      said.push("begin");
    }
    async end() {
      await slow();
      said.push("end");
    }
  },
}));
vi.mock("./device-state", () => ({
  DeviceState: class {
    battery = null;
    pressure = "nominal";
    isAwake = false;
    stayAwake = (wants: boolean) => (awake = wants);
    destroy = () => undefined;
  },
}));
let events: { status(status: KeeperStatus): void; wanted(id: string): void };
vi.mock("./keeper/keeper", () => ({
  Keeper: class {
    constructor(told: typeof events) {
      events = told;
    }
    async adopt({ id }: { id: string }) {
      adopted.push(id);
      if (failing === "adopting") throw new Error("the worker is gone");
      return null;
    }
    know = () => undefined;
    pause = (_: string, on: boolean) => said.push(on ? "paused" : "resumed");
    end = (id: string) => said.push(id === "b" ? "ended" : `ended ${id}`);
    takeOver = (id: string) => said.push(`take over ${id}`);
    handOver = (id: string) => said.push(`hand over ${id}`);
    answer = (id: string, answer: string) => said.push(`${id}: ${answer}`);
    destroy = () => undefined;
  },
}));
vi.mock("./devices", () => ({
  devices: async () => [],
  findMissing: async () => null,
  loadChoice: () => ({}),
  storeChoice: () => undefined,
  whyNone: () => "busy",
}));
vi.mock("../owner-key", () => ({ load: () => null }));
vi.mock("../transport", async (original) => ({
  ...(await original<object>()),
  createBroadcast: async (title: string) => ({ id: "new", title, publish: { token: "t" } }),
}));
vi.mock("./address", () => ({ forgetLink: () => undefined, takeLink: () => ({ id: "b", token: "t", title: "Regatta" }) }));

beforeEach(() => {
  said.length = adopted.length = 0;
  failing = "nothing";
  vi.stubGlobal("window", { setInterval: () => 0 });
  vi.stubGlobal("addEventListener", () => undefined);
  vi.stubGlobal("location", { origin: "http://r" });
  vi.stubGlobal("navigator", { storage: { persist: async () => true, persisted: async () => false } });
  vi.spyOn(console, "error").mockReturnValue();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

async function ready() {
  const { Session } = await import("./session");
  const session = new Session({} as HTMLVideoElement, () => undefined);
  await session.begin();
  return session;
}

async function recording() {
  const session = await ready();
  await session.start("Regatta");
  expect(session.model.stage.kind).toBe("recording");
  said.length = 0;
  return session;
}

it("records after a pause that was taken back at once", async () => {
  const session = await recording();
  await Promise.all([session.pause(), session.resume()]);
  expect(said).toEqual(["rest", "end", "paused", "resumed", "begin", "take"]);
  expect([session.model.stage.kind, session.model.bitrate, awake]).toEqual(["recording", 1, true]);
  await Promise.all([session.pause(), session.end()]);
  expect([said.at(-1), session.model.stage.kind, awake]).toEqual(["ended", "ending", false]);
});

it("is paused again when it cannot be resumed, and says why", async () => {
  const session = await recording();
  await session.pause();
  failing = "recording";
  await session.resume();
  expect([session.model.stage.kind, session.model.problem?.kind, said.at(-1)]).toEqual(["paused", "other", "paused"]);
  failing = "nothing";
  await session.resume();
  expect([session.model.stage.kind, session.model.problem]).toEqual(["recording", null]);
});

it("records the next one whole that is begun while the last one is still being cut", async () => {
  const session = await recording();
  const ended = session.end();
  session.again();
  const started = session.start("Next");
  await Promise.all([ended, started]);
  expect(said).toEqual(["rest", "end", "ended", "resumed", "begin", "take"]);
  expect([adopted, session.model.stage.kind, session.model.bitrate, awake]).toEqual([["b", "new"], "recording", 1, true]);
});

it("records with sound as soon as there is a microphone", async () => {
  const session = await recording();
  await session.choose({ microphone: "m" });
  await vi.waitFor(() => expect(said).toEqual(["rest", "end", "begin", "take"]));
  expect([session.model.stage.kind, awake]).toEqual(["recording", true]);
  // Another one is no other recording.
  await session.choose({ microphone: "n" });
  await session.pause();
  expect(said.slice(4)).toEqual(["rest", "end", "paused"]);
});

it("ends when that was asked for while it begins with sound", async () => {
  const session = await recording();
  await session.choose({ microphone: "m" });
  await session.end();
  expect([said, session.model.stage.kind, awake]).toEqual([["rest", "end", "begin", "take", "rest", "end", "ended"], "ending", false]);
});

it("is paused, and says why, when it cannot begin with sound", async () => {
  const session = await recording();
  failing = "recording";
  await session.choose({ microphone: "m" });
  await vi.waitFor(() => expect(session.model.stage.kind).toBe("paused"));
  expect([said, session.model.problem?.kind]).toEqual([["rest", "end", "paused"], "other"]);
});

it("knows that the browser may delete what was left, before anything is recorded", async () => {
  const session = await ready();
  expect(session.model.isEvictable).toBe(true);
  await session.start("Regatta");
  expect(session.model.isEvictable).toBe(false);
});

it("is ready again when nothing can go on, and says why", async () => {
  const session = await ready();
  failing = "adopting";
  await session.goOn("b");
  expect([session.model.stage.kind, session.model.problem?.kind]).toEqual(["ready", "other"]);
});

/** Of these broadcasts. */
function heard(...spools: { id: string; said: string; endedByOwner?: boolean; endedThere?: boolean }[]) {
  events.status({ spools, held: [], unreadable: [], storage: { used: 0, quota: 1, waiting: 0, state: "roomy" } } as unknown as KeeperStatus);
}

it("stops when the owner has ended the broadcast, and says where it ends", async () => {
  for (const pauses of [false, true]) {
    const session = await recording();
    heard({ id: "b", said: "recording", endedByOwner: false });
    if (pauses) await session.pause();
    expect(session.model.stage.kind).toBe(pauses ? "paused" : "recording");
    heard({ id: "b", said: "recording", endedByOwner: true });
    heard({ id: "b", said: "recording", endedByOwner: true });
    await vi.waitFor(() => expect(said.at(-1)).toBe("ended"));
    expect([session.model.stage.kind, awake]).toEqual(["ending", false]);
    heard({ id: "b", said: "ended", endedByOwner: true });
    expect(said.filter((word) => word === "ended")).toHaveLength(1);
  }
});

it("stops when the broadcast has ended for good without it", async () => {
  const session = await recording();
  heard({ id: "b", said: "recording", endedThere: true });
  await vi.waitFor(() => expect(said.at(-1)).toBe("ended"));
  expect([session.model.stage.kind, awake]).toEqual(["ending", false]);
});

it("says where ends what an earlier visit left, and its owner has ended", async () => {
  await ready();
  said.length = 0;
  heard({ id: "c", said: "recording", endedByOwner: true }, { id: "d", said: "ended", endedByOwner: true });
  expect(said).toEqual(["ended c"]);
});

it("warns whoever leaves while the last moments are being saved, also of the broadcast before", async () => {
  const { isUnsent } = await import("./model");
  const session = await recording();
  const saved = session.end();
  expect([isUnsent(session.model), session.model.ended]).toEqual([true, ["b"]]);
  session.again();
  expect([session.model.stage.kind, isUnsent(session.model)]).toEqual(["ready", true]);
  await saved;
  const spool = { id: "b", endedByOwner: false, isDone: false, owed: { segments: 0 }, unwritten_ms: 0, unreadable: 0, endedThere: false, trouble: null };
  heard({ ...spool, said: "recording" });
  expect(isUnsent(session.model)).toBe(true);
  // And until the server knows it.
  heard({ ...spool, said: "ended" });
  expect(isUnsent(session.model)).toBe(true);
  heard({ ...spool, said: "ended", endedThere: true });
  expect(isUnsent(session.model)).toBe(false);
});

it("asks before another tab gets what is recorded here", async () => {
  const session = await recording();
  events.wanted("b");
  expect([said, session.model.wanted, session.model.stage.kind]).toEqual([["b: person-asked"], "b", "recording"]);
  session.keepHere("b");
  expect([said.at(-1), session.model.wanted, session.model.stage.kind]).toEqual(["b: kept", null, "recording"]);
  events.wanted("b");
  said.length = 0;
  await session.handOver("b");
  // After the last moments, which go with it.
  expect(said).toEqual(["b: coming", "rest", "end", "hand over b"]);
  expect([session.model.stage.kind, session.model.problem?.kind, session.model.wanted, awake]).toEqual(["ready", "taken-over", null, false]);
  session.takeOver("b");
  expect([said.at(-1), session.model.problem]).toEqual(["take over b", null]);
});

it("gives another tab what is only sent here, or left, without a word", async () => {
  const session = await recording();
  events.wanted("c");
  await vi.waitFor(() => expect(said).toEqual(["c: coming", "hand over c"]));
  expect([session.model.stage.kind, session.model.problem]).toEqual(["recording", null]);
  const ended = session.end();
  events.wanted("b");
  await ended;
  await vi.waitFor(() => expect(said.slice(2)).toEqual(["b: coming", "rest", "end", "ended", "rest", "hand over b"]));
  expect([session.model.stage.kind, session.model.problem?.kind, session.model.ended]).toEqual(["ready", "taken-over", []]);
});
