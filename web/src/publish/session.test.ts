/** What the person does, however quickly, against a camera and a keeper that are slow. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";

const said: string[] = [];
const slow = () => new Promise<void>((resolve) => setTimeout(resolve, 50));
let failing: "nothing" | "recording" | "adopting" = "nothing";
let awake = false;

vi.mock("./camera", () => ({
  Camera: class {
    sound = null;
    hasMicrophone = false;
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
vi.mock("./keeper/keeper", () => ({
  Keeper: class {
    async adopt() {
      if (failing === "adopting") throw new Error("the worker is gone");
      return null;
    }
    know = () => undefined;
    pause = (_: string, on: boolean) => said.push(on ? "paused" : "resumed");
    end = () => said.push("ended");
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
vi.mock("./address", () => ({ forgetLink: () => undefined, takeLink: () => ({ id: "b", token: "t", title: "Regatta" }) }));

beforeEach(() => {
  said.length = 0;
  failing = "nothing";
  vi.stubGlobal("window", { setInterval: () => 0 });
  vi.stubGlobal("addEventListener", () => undefined);
  vi.stubGlobal("location", { origin: "http://r" });
  vi.stubGlobal("navigator", { storage: { persist: async () => true } });
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

it("is ready again when nothing can go on, and says why", async () => {
  const session = await ready();
  failing = "adopting";
  await session.goOn("b");
  expect([session.model.stage.kind, session.model.problem?.kind]).toEqual(["ready", "other"]);
});
