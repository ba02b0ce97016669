/** What must be said beside the state. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LANGUAGES } from "../../language";
import { storageStatus } from "../keeper/storage";
import type { Model, Stage } from "../model";
import { wordsIn } from "../words";
import { keptHere, warnings } from "./facts";

beforeEach(() => {
  vi.stubGlobal("document", { hidden: false });
  vi.stubGlobal("navigator", {});
});
afterEach(() => vi.unstubAllGlobals());

const said = (change: Partial<Model>, language: (typeof LANGUAGES)[number] = "en") => {
  const calm = { keeper: null, problem: null, isBlind: false, isDeaf: false, hasMicrophone: true, isEvictable: false };
  return warnings({ ...calm, ...change } as Model, wordsIn(language));
};

it("says how much is kept here, and for how long there is room at the bit rate that there is", () => {
  const cases: [kept: number[], bitrate: number | null, quota: number, string | null][] = [
    [[], 900_000, 1e9, null],
    [[0], 900_000, 1e9, null],
    [[600_000, 100_000], null, 1e9, "1 MB"],
    [[600_000], 900_000, 0, "1 MB"],
    [[600_000], 900_000, 1.4e9, "1 MB, room for 3 h"],
    [[600_000], 150_000, 5e6, "1 MB, room for 2 min"],
    [[600_000], 150_000, 1e5, "1 MB, room for 0 min"],
  ];
  for (const [kept, bitrate, quota, expected] of cases) {
    const spools = kept.map((keptBytes) => ({ keptBytes, isDone: false }));
    const keeper = { spools: [...spools, { keptBytes: 5e6, isDone: true }], storage: storageStatus(0, quota, 0) } as unknown as Model["keeper"];
    expect(keptHere({ keeper, bitrate }, wordsIn("en")), JSON.stringify([kept, bitrate, quota])).toBe(expected);
  }
});

it("is said as long as there is no microphone, in every language", () => {
  const stages: Stage[] = [{ kind: "ready" }, { kind: "starting", id: "b" }, { kind: "recording", id: "b", since_ms: 0 }, { kind: "paused", id: "b" }];
  for (const stage of stages) {
    expect(said({ stage })).toEqual([]);
    const texts = LANGUAGES.map((language) => said({ stage, hasMicrophone: false }, language));
    expect(texts.map((text) => text.map(({ isUrgent }) => isUrgent))).toEqual([[true], [true], [true]]);
    expect(new Set(texts.map(([warning]) => warning!.text)).size).toBe(LANGUAGES.length);
  }
  for (const stage of [{ kind: "asking" }, { kind: "ending", id: "b" }, { kind: "done", id: "b" }] as const) {
    expect(said({ stage, hasMicrophone: false })).toEqual([]);
  }
});
