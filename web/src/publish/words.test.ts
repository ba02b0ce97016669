import { expect, test } from "vitest";
import { LANGUAGES } from "../language";
import type { Problem } from "./model";
import { wordsIn } from "./words";

test.each([
  ["sl", 1, "zavrnil 1 odsek.", "Poškodovano na tej napravi: 1 odsek.", "prebrati 1 odseka:"],
  ["sl", 2, "zavrnil 2 odseka.", "Poškodovano na tej napravi: 2 odseka.", "prebrati 2 odsekov:"],
  ["sl", 3, "zavrnil 3 odseke.", "Poškodovano na tej napravi: 3 odseki.", "prebrati 3 odsekov:"],
  ["sl", 5, "zavrnil 5 odsekov.", "Poškodovano na tej napravi: 5 odsekov.", "prebrati 5 odsekov:"],
  ["ru", 1, "отклонил 1 фрагмент.", "повреждено: 1 фрагмент.", "прочитать 1 фрагмент:"],
  ["ru", 3, "отклонил 3 фрагмента.", "повреждено: 3 фрагмента.", "прочитать 3 фрагмента:"],
  ["ru", 5, "отклонил 5 фрагментов.", "повреждено: 5 фрагментов.", "прочитать 5 фрагментов:"],
] as const)("%s: %d refused, damaged, or unreadable", (language, count, refused, damaged, unreadable) => {
  const { left, headline } = wordsIn(language);
  const said = [(n: number, m: number) => left.stuck(n, m), (n: number, m: number) => headline({ kind: "kept-here", refused: n, damaged: m })];
  for (const say of said) {
    expect(say(count, 0)).toContain(refused);
    expect(say(0, count)).toContain(damaged);
  }
  const ended = { waiting_s: 0, unreadable: count, isTold: true, isReachable: true };
  for (const text of [left.interrupted(0, count), left.sending(ended), headline({ kind: "reading-again", segments: count, refused: 0, damaged: 0 })]) {
    expect(text).toContain(unreadable);
  }
});

test("what has ended is said differently as long as something is to be done, in every language", () => {
  const known = [true, false].flatMap((isTold) => [true, false].map((isReachable) => ({ isTold, isReachable })));
  const said = LANGUAGES.flatMap((language) => {
    const { left, headline } = wordsIn(language);
    return known.map((how) => [left.sending({ waiting_s: 0, unreadable: 0, ...how }), headline({ kind: "sending", waiting_s: 0, byOwner: false, ...how })]);
  });
  for (const which of [0, 1]) expect(new Set(said.map((texts) => texts[which])).size).toBe(LANGUAGES.length * 4);
});

test("nothing is said of what there is none of", () => {
  for (const language of LANGUAGES) {
    const { left, headline } = wordsIn(language);
    const said = [left.stuck(18, 0), left.stuck(0, 18), left.notAccepted(0), left.noBroadcast(0), headline({ kind: "kept-here", refused: 18, damaged: 0 }), left.interrupted(0, 0)];
    for (const text of said) expect(text).not.toMatch(/(^|\D)0/);
  }
});

test("each state of what another tab has is told apart, in every language", () => {
  const states = ["there", "taken-over", "asking", "held-up", "recording", "kept", "silent"] as const;
  const said = LANGUAGES.flatMap((language) => states.map((state) => wordsIn(language).left.held(state)));
  expect(new Set(said).size).toBe(said.length);
});

test("how much room is left is said in minutes", () => {
  for (const language of LANGUAGES) {
    const words = wordsIn(language);
    expect(words.storageLow(601), language).toBe(words.storageLow(629));
    expect(words.storageLow(3), language).toBe(words.storageLow(60));
  }
});

test("each problem has words of its own, in every language", () => {
  const kinds = ["refused", "unreachable", "held", "asker-gone", "no-room", "lost", "encoder", "storage", "keeper", "renewed", "other"] as const;
  const none = ["denied", "none", "busy"] as const;
  const problems: Problem[] = [
    ...kinds.map((kind) => ({ kind })),
    ...none.flatMap((why) => [{ kind: "camera", why } as const, { kind: "microphone", why } as const]),
    { kind: "taken-over", id: "b" },
    { kind: "server", status: 503 },
    { kind: "left-out", segments: 3 },
    { kind: "not-saved" },
  ];
  const said = LANGUAGES.flatMap((language) => problems.map((problem) => wordsIn(language).problem(problem)));
  expect(new Set(said).size).toBe(said.length);
});
