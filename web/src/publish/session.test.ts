/** What the person does, however quickly, against a camera and a keeper that are slow. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Renewed } from "../code";
import type { KeeperStatus } from "./keeper/messages";

const said: string[] = [];
const slow = () => new Promise<void>((resolve) => setTimeout(resolve, 50));
const adopted: string[] = [];
let failing: "nothing" | "loading" | "recording" | "adopting" = "nothing";
let awake = false;
/** For which locks somebody waits. */
let pending: { name: string }[] = [];
let adopting: Promise<void>;
/** Whether it was handed over, once all is written. */
let written: Promise<boolean>;

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
    static async load() {
      said.push("load");
      if (failing === "loading") throw new Renewed();
    }
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
      if (failing === "loading") throw new Renewed();
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
      await adopting;
      if (failing === "adopting") throw new Error("the worker is gone");
      return null;
    }
    know = () => undefined;
    pause = (_: string, on: boolean) => said.push(on ? "paused" : "resumed");
    end = (id: string) => said.push(id === "b" ? "ended" : `ended ${id}`);
    takeOver = (id: string) => said.push(`take over ${id}`);
    handOver = async (id: string) => {
      said.push(`hand over ${id}`);
      return written;
    };
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
  pending = ["b", "c"].map((id) => ({ name: `headwater-spool-${id}` }));
  [adopting, written] = [Promise.resolve(), Promise.resolve(true)];
  vi.stubGlobal("window", { setInterval: () => 0 });
  vi.stubGlobal("addEventListener", () => undefined);
  vi.stubGlobal("location", { origin: "http://r" });
  vi.stubGlobal("navigator", { storage: { persist: async () => true, persisted: async () => false }, locks: { query: async () => ({ pending }) } });
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

it("loads what it needs before anything is pressed, and says what is not there after an upgrade", async () => {
  vi.spyOn(console, "warn").mockReturnValue();
  failing = "loading";
  const session = await ready();
  expect([said, session.model.stage.kind, session.model.problem]).toEqual([["load"], "ready", null]);
  await session.start("Regatta");
  expect([session.model.stage.kind, session.model.problem?.kind]).toEqual(["ready", "renewed"]);
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
function heard(...spools: { id: string; said: string; endedByOwner?: boolean; endedThere?: boolean; isDone?: boolean }[]) {
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
  // And said until it is here again.
  heard({ id: "c", said: "recording" });
  expect(session.model.problem?.kind).toBe("taken-over");
  heard({ id: "b", said: "recording" });
  expect(session.model.problem).toBeNull();
  session.takeOver("b");
  expect(said.at(-1)).toBe("take over b");
});

it("gives another tab what is only sent here, or left, without a word", async () => {
  const session = await recording();
  events.wanted("c");
  await vi.waitFor(() => expect(said).toEqual(["c: coming", "hand over c"]));
  expect([session.model.stage.kind, session.model.problem]).toEqual(["recording", null]);
  const ended = session.end();
  events.wanted("b");
  await ended;
  await vi.waitFor(() => expect(said.slice(2)).toEqual(["b: coming", "rest", "end", "ended", "hand over b"]));
  await vi.waitFor(() => expect(session.model.stage.kind).toBe("ready"));
  expect([session.model.problem?.kind, session.model.ended]).toEqual(["taken-over", []]);
});

it("goes on recording when nobody waits any more for what is given away", async () => {
  const session = await recording();
  events.wanted("b");
  pending = [{ name: "headwater-spool-c" }];
  await session.handOver("b");
  expect([said, session.model.wanted, session.model.stage.kind]).toEqual([["b: person-asked"], null, "recording"]);
  expect([session.model.problem?.kind, awake]).toEqual(["asker-gone", true]);
});

it("asks no more when nobody waits any more", async () => {
  const session = await recording();
  events.wanted("b");
  await session.noticeGone();
  expect(session.model.wanted).toBe("b");
  pending = [];
  await session.noticeGone();
  expect([session.model.wanted, session.model.problem]).toEqual([null, null]);
});

it("says that another tab has it when all is written, warns whoever leaves before, and is not ended meanwhile", async () => {
  const { isUnsent } = await import("./model");
  const session = await recording();
  let allIsWritten = () => {};
  written = new Promise((resolve) => (allIsWritten = () => resolve(true)));
  const given = session.handOver("b");
  await vi.waitFor(() => expect(session.model.stage.kind).toBe("giving"));
  await session.end();
  await vi.waitFor(() => expect(said).toEqual(["b: coming", "rest", "end", "hand over b"]));
  await session.end();
  session.again();
  await session.start("Regatta");
  expect([session.model.stage.kind, isUnsent(session.model), session.model.problem]).toEqual(["giving", true, null]);
  allIsWritten();
  await given;
  expect([said.length, session.model.stage.kind, session.model.problem?.kind]).toEqual([4, "ready", "taken-over"]);
});

it("does not say that another tab has what the keeper could not give it", async () => {
  const session = await recording();
  written = Promise.resolve(false);
  await session.handOver("b");
  expect([session.model.stage.kind, session.model.problem]).toEqual(["ready", null]);
});

it("asks for the one that is recorded only, and no more than that is", async () => {
  const session = await recording();
  events.wanted("b");
  events.wanted("c");
  await vi.waitFor(() => expect(said).toContain("hand over c"));
  expect(session.model.wanted).toBe("b");
  session.keepHere("c");
  expect(session.model.wanted).toBe("b");
  // Who waits for what is ended gets it, after its end.
  await session.end();
  await vi.waitFor(() => expect(session.model.problem?.kind).toBe("taken-over"));
  expect([session.model.wanted, said.slice(-3)]).toEqual([null, ["end", "ended", "hand over b"]]);
});

it("leaves what is done as it is when another tab gets it", async () => {
  const session = await recording();
  await session.end();
  heard({ id: "b", said: "ended", isDone: true });
  expect(session.model.stage.kind).toBe("done");
  events.wanted("b");
  await vi.waitFor(() => expect(said.at(-1)).toBe("hand over b"));
  await written;
  expect([session.model.stage.kind, session.model.problem]).toEqual(["done", null]);
});

it("asks before another tab gets what is just being begun", async () => {
  const session = await recording();
  await session.end();
  session.again();
  let adopted = () => {};
  adopting = new Promise((resolve) => (adopted = resolve));
  const another = session.start("Next");
  await vi.waitFor(() => expect(session.model.stage).toEqual({ kind: "starting", id: "new" }));
  events.wanted("new");
  expect(session.model.wanted).toBe("new");
  adopted();
  await another;
  expect([session.model.stage.kind, session.model.wanted]).toEqual(["recording", "new"]);
});
