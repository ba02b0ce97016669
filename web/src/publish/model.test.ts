/** What the page says is true: for each situation, in words. */
import { describe, expect, it } from "vitest";
import { choicesFor, headline, isAtRisk, isUnsent, leftOver, type Model, roomLeft_s, type Stage, toneOf } from "./model";
import { linkIn } from "./address";
import type { UplinkStatus } from "./uplink/status";
import { wordsIn } from "./words";
import { LANGUAGES } from "../language";
import { keepBytes, storageStatus } from "./keeper/storage";

const NOW_MS = 1_790_000_000_000;

const spool = (change: Partial<UplinkStatus> = {}): UplinkStatus => ({
  id: "b",
  title: "Regatta",
  said: "recording",
  endedThere: false,
  endedByOwner: false,
  isKnown: true,
  recorder: "http://r",
  trouble: null,
  latency_ms: 1_234,
  newestArrived_ms: NOW_MS - 1_000,
  recorded: { segments: 10, bytes: 10_000 },
  owed: { segments: 0, duration_ms: 0, bytes: 0 },
  unwritten_ms: 0,
  missing_ms: 0,
  owedRanges: [],
  notSafe: 0,
  refused: 0,
  isRefusedByEnd: false,
  unreadable: 0,
  damaged: 0,
  lost: 0,
  keptBytes: 10_000,
  bitsPerSecond: 1_000_000,
  next: 10,
  isDone: false,
  ...change,
});
const owed = (s: number) => ({ segments: Math.ceil(s / 2), duration_ms: s * 1_000, bytes: s * 1_000 });
const trouble = { kind: "unreachable", detail: "cannot be reached" } as const;

const model = (stage: Stage, spools: UplinkStatus[]): Pick<Model, "stage" | "keeper" | "now_ms" | "ended"> => ({
  stage,
  ended: [],
  keeper: { spools, held: [], unreadable: [], storage: storageStatus(0, 1e12, 0) },
  now_ms: NOW_MS,
});
const recording: Stage = { kind: "recording", id: "b", since_ms: 0 };
const ending: Stage = { kind: "ending", id: "b" };

describe("the line", () => {
  const cases: [string, Stage, UplinkStatus[], string, string][] = [
    ["before anything", { kind: "ready" }, [], "Ready", "calm"],
    ["live", recording, [spool()], "Live, 1.2 s behind", "live"],
    ["live while what was missing is sent", recording, [spool({ owed: owed(40), missing_ms: 40_000 })], "Live, 1.2 s behind", "live"],
    ["no network", recording, [spool({ trouble, owed: owed(42) })], "Recording, will send later: 42 s waiting", "waiting"],
    ["no network for long", recording, [spool({ trouble, owed: owed(200) })], "Recording, will send later: 3:20 waiting", "waiting"],
    ["a tunnel, which nobody tells of", recording, [spool({ newestArrived_ms: NOW_MS - 9_000, owed: owed(8) })], "Recording, will send later: 8 s waiting", "waiting"],
    ["at first", recording, [spool({ newestArrived_ms: null, latency_ms: null })], "Recording, connecting …", "calm"],
    ["without a network from the start", recording, [spool({ newestArrived_ms: null, trouble, owed: owed(6) })], "Recording, will send later: 6 s waiting", "waiting"],
    ["without room", recording, [spool({ trouble, owed: owed(10), unwritten_ms: 32_000 })], "Recording, will send later: 42 s waiting", "waiting"],
    ["a camera that gives nothing", recording, [spool({ newestArrived_ms: NOW_MS - 9_000 })], "Recording, will send later", "waiting"],
    ["a token that was taken back", recording, [spool({ trouble: { kind: "unauthorized", detail: "" } })], "The server does not accept this link. What you record stays on this device.", "bad"],
    ["ended by somebody else", recording, [spool({ endedThere: true })], "The broadcast has ended; what was not sent is no longer accepted. It stays on this device.", "bad"],
    ["paused", { kind: "paused", id: "b" }, [spool()], "Paused", "waiting"],
    ["paused with more to send", { kind: "paused", id: "b" }, [spool({ owed: owed(4) })], "Paused, 4 s still to send", "waiting"],
    ["ended, sending", ending, [spool({ owed: owed(30) })], "Ended, sending: 30 s left", "waiting"],
    ["ended without a network", ending, [spool({ owed: owed(30), trouble })], "Ended, will send later: 30 s waiting", "waiting"],
    ["all sent, not all safe", ending, [spool({ notSafe: 2, endedThere: true })], "Ended, making sure all is safe …", "waiting"],
    ["all sent, not all safe, and no network", ending, [spool({ notSafe: 2, endedThere: true, trouble })], "Ended, all is sent: will make sure later that it is safe", "waiting"],
    ["all sent, and nobody has heard of the end", ending, [spool()], "Ended, telling the server …", "waiting"],
    ["the same without a network", ending, [spool({ trouble })], "Ended. The server does not know yet, and will be told later", "waiting"],
    ["its owner has ended it, and there is no network", ending, [spool({ endedByOwner: true, trouble })], "The owner has ended this broadcast, all is sent: will make sure later that it is safe", "waiting"],
    ["ended by its owner, sending", ending, [spool({ endedByOwner: true, owed: owed(30) })], "The owner has ended this broadcast, sending: 30 s left", "waiting"],
    ["ended by its owner, all sent", { kind: "done", id: "b" }, [spool({ endedByOwner: true, isDone: true })], "The owner has ended this broadcast. Everything is sent and safe.", "good"],
    ["refused", ending, [spool({ refused: 1 })], "Ended. The server refused 1 segment. They stay on this device.", "bad"],
    ["damaged", ending, [spool({ damaged: 2 })], "Ended. 2 segments got damaged on this device. They stay on this device.", "bad"],
    ["unreadable", ending, [spool({ unreadable: 2 })], "Ended. 2 segments cannot be read on this device now: trying again …", "waiting"],
    ["refused, and unreadable", ending, [spool({ refused: 1, unreadable: 2 })], "Ended. 2 segments cannot be read on this device now: trying again … The server refused 1 segment.", "waiting"],
    ["unreadable, more to send", ending, [spool({ unreadable: 2, owed: owed(30) })], "Ended, sending: 30 s left", "waiting"],
    ["refused, more to send", ending, [spool({ refused: 1, owed: owed(30) })], "Ended, sending: 30 s left", "waiting"],
    ["its owner waits no longer", ending, [spool({ refused: 18, isRefusedByEnd: true })], "The broadcast has ended; what was not sent is no longer accepted. It stays on this device.", "bad"],
    ["done", { kind: "done", id: "b" }, [spool({ isDone: true })], "Ended. Everything is sent and safe.", "good"],
  ];
  const words = wordsIn("en");
  it.each(cases)("%s", (_, stage, spools, text, tone) => {
    const line = headline(model(stage, spools));
    expect([words.headline(line), toneOf(line)]).toEqual([text, tone]);
  });

  it("is said in every language", () => {
    for (const [, stage, spools] of cases) {
      const said = LANGUAGES.map((language) => wordsIn(language).headline(headline(model(stage, spools))));
      expect(new Set(said).size, said.join(" | ")).toBe(LANGUAGES.length);
    }
  });
});

describe("what earlier visits left", () => {
  const cases: [string, UplinkStatus][] = [
    ["interrupted", spool()],
    ["sending", spool({ said: "ended", owed: owed(3) })],
    ["stuck", spool({ said: "ended", refused: 1 })],
    ["stuck", spool({ said: "ended", damaged: 1 })],
    ["sending", spool({ said: "ended", unreadable: 1 })],
    ["interrupted", spool({ unreadable: 1 })],
    ["sending", spool({ said: "ended", refused: 1, owed: owed(600) })],
    ["interrupted", spool({ refused: 1, owed: owed(600) })],
    ["stuck", spool({ trouble: { kind: "no-broadcast", detail: "" } })],
    ["sent", spool({ said: "ended", isDone: true })],
  ];
  it.each(cases)("is %s", (kind, left) => {
    expect(leftOver(model({ kind: "ready" }, [left])).map((one) => one.kind)).toEqual([kind]);
  });

  const turnedAway = { kind: "unauthorized", detail: "" } as const;
  it.each<[string, Parameters<typeof spool>[0], string]>([
    ["interrupted", {}, "go-on finish"],
    ["ended elsewhere", { endedThere: true }, "finish"],
    ["ended", { said: "ended", owed: owed(3) }, ""],
    ["refused, and much is still to be sent", { refused: 1, owed: owed(600) }, "go-on finish"],
    ["refused, ended, and much is still to be sent", { refused: 1, owed: owed(600), said: "ended" }, ""],
    ["refused, and it may go on", { refused: 1 }, "go-on finish save delete"],
    ["refused, ended elsewhere", { refused: 1, endedThere: true }, "finish save delete"],
    ["refused and ended", { refused: 1, said: "ended" }, "save delete"],
    ["damaged and ended", { damaged: 1, said: "ended" }, "save delete"],
    ["damaged and ended, and more cannot be read now", { damaged: 1, unreadable: 1, said: "ended" }, "save"],
    ["refused and ended, and more cannot be read now", { refused: 300, unreadable: 1, said: "ended" }, "save"],
    ["ended, and tried again", { unreadable: 1, said: "ended" }, ""],
    ["a link that is not accepted", { trouble: turnedAway, owed: owed(3) }, "save delete"],
    ["sent", { said: "ended", isDone: true }, "watch"],
  ])("%s: what can be done", (_, change, choices) => {
    const [left] = leftOver(model({ kind: "ready" }, [spool(change)]));
    expect(choicesFor(left!).join(" ")).toBe(choices);
  });

  it("can be deleted when it cannot be read, and not while another tab has it", () => {
    expect(choicesFor({ kind: "unreadable", id: "b" })).toEqual(["delete"]);
    const offered = (["there", "taken-over", "kept", "silent", "asking", "held-up", "recording"] as const).map((state) => choicesFor({ kind: "held", id: "b", title: "", state }));
    expect(offered).toEqual([["take-over"], ["take-over"], ["take-over"], ["take-over"], [], [], []]);
  });

  it("is not what is recorded now", () => {
    expect(leftOver(model(recording, [spool()]))).toEqual([]);
  });

  it("is worth a warning while it is not sent", () => {
    const check = (stage: Stage, left: UplinkStatus[]) => isUnsent(model(stage, left));
    expect(check(ending, [spool({ unwritten_ms: 2_000 })])).toBe(true);
    expect([check(recording, [spool()]), check(ending, [spool({ owed: owed(2) })])]).toEqual([true, true]);
    expect([check(ending, [spool({ unreadable: 1 })]), check({ kind: "ready" }, [spool({ unreadable: 1 })])]).toEqual([true, true]);
    expect(check(ending, [spool({ damaged: 1, endedThere: true })])).toBe(false);
    expect([check({ kind: "ready" }, [spool()]), check({ kind: "done", id: "b" }, [spool({ isDone: true })])]).toEqual([false, false]);
  });
});

describe("the last moments", () => {
  const check = (stage: Stage, said: UplinkStatus["said"], ended: string[] = [], change: Partial<UplinkStatus> = { endedThere: said === "ended" }) =>
    isUnsent({ ...model(stage, [spool({ said, ...change })]), ended });
  it("are worth a warning until the spool says that it has them", () => {
    expect([check(ending, "recording", ["b"]), check(ending, "ended", ["b"])]).toEqual([true, false]);
    expect([check({ kind: "paused", id: "b" }, "recording"), check({ kind: "paused", id: "b" }, "paused")]).toEqual([true, false]);
  });

  it("are so until the server knows of the end, unless it will not be told", () => {
    expect([check(ending, "ended", ["b"], {}), check({ kind: "ready" }, "ended", ["b"], { trouble })]).toEqual([true, true]);
    const turnedAway = { kind: "no-broadcast", detail: "" } as const;
    expect([check(ending, "ended", ["b"], { isDone: true }), check(ending, "ended", ["b"], { trouble: turnedAway })]).toEqual([false, false]);
  });

  it("are so also when the page is ready for the next broadcast, or has not heard of the spool", () => {
    expect([check({ kind: "ready" }, "recording", ["b"]), check({ kind: "ready" }, "ended", ["b"])]).toEqual([true, false]);
    expect(isUnsent({ ...model(ending, []), ended: ["b"] })).toBe(true);
  });
});

describe("storage", () => {
  it("is low, and then full, and what is safe goes first", () => {
    const states = [1e9, 100e6, 1e6].map((room) => storageStatus(5e9 - room, 5e9, 0));
    expect(states.map(({ state }) => state)).toEqual(["roomy", "low", "full"]);
    expect(states.map(keepBytes).map((bytes) => bytes > 0)).toEqual([true, false, false]);
    expect(storageStatus(0, 5e9, 1).state).toBe("full");
  });

  it("is told of when the browser may delete what is not sent", () => {
    const check = (isEvictable: boolean, spools: UplinkStatus[]) => isAtRisk({ isEvictable, keeper: model(recording, spools).keeper });
    expect([check(true, [spool({ owed: owed(40) })]), check(false, [spool({ owed: owed(40) })])]).toEqual([true, false]);
    expect([check(true, [spool({ owed: owed(4) })]), check(true, [])]).toEqual([false, false]);
  });

  it("is enough for so long", () => {
    const storage = storageStatus(0, 45e6, 0);
    expect([roomLeft_s(storage, 1e6), roomLeft_s(storageStatus(0, 1e12, 0), 1e6)]).toEqual([360, null]);
  });
});

describe("a link", () => {
  it("gives a broadcast, or nothing", () => {
    expect(linkIn("#id=01m81&token=a.b-c_d&title=Regatta")).toEqual({ id: "01m81", token: "a.b-c_d", title: "Regatta" });
    for (const wrong of ["", "#", "#id=x", "#token=x", "#id=..%2Fx&token=x", "#owner-key=x"]) expect(linkIn(wrong)).toBeNull();
  });
});
