/** What must be said beside the state. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LANGUAGES } from "../../language";
import type { Model, Stage } from "../model";
import { wordsIn } from "../words";
import { warnings } from "./facts";

beforeEach(() => {
  vi.stubGlobal("document", { hidden: false });
  vi.stubGlobal("navigator", {});
});
afterEach(() => vi.unstubAllGlobals());

const said = (change: Partial<Model>, language: (typeof LANGUAGES)[number] = "en") => {
  const calm = { keeper: null, problem: null, isBlind: false, isDeaf: false, hasMicrophone: true, isEvictable: false };
  return warnings({ ...calm, ...change } as Model, wordsIn(language));
};

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
