import { expect, test } from "vitest";
import { LANGUAGES } from "../language";
import type { Problem } from "./model";
import { wordsIn } from "./words";

test.each([
  ["sl", 1, "1 odsek je zavrnjen", "zavrnil 1 odsek:"],
  ["sl", 2, "2 odseka sta zavrnjena", "zavrnil 2 odseka:"],
  ["sl", 3, "3 odseki so zavrnjeni", "zavrnil 3 odseke:"],
  ["sl", 5, "5 odsekov je zavrnjenih", "zavrnil 5 odsekov:"],
  ["ru", 1, "1 фрагмент отклонён", "отклонил 1 фрагмент:"],
  ["ru", 3, "3 фрагмента отклонены", "отклонил 3 фрагмента:"],
  ["ru", 5, "5 фрагментов отклонено", "отклонил 5 фрагментов:"],
] as const)("%s: %d refused", (language, count, stuck, kept) => {
  const words = wordsIn(language);
  expect(words.left.stuck(count, 12)).toContain(stuck);
  expect(words.headline({ kind: "kept-here", segments: count })).toContain(kept);
});

test("how much room is left is said in minutes", () => {
  for (const language of LANGUAGES) {
    const words = wordsIn(language);
    expect(words.storageLow(601), language).toBe(words.storageLow(629));
    expect(words.storageLow(3), language).toBe(words.storageLow(60));
  }
});

test("each problem has words of its own, in every language", () => {
  const kinds = ["refused", "unreachable", "held", "no-room", "lost", "encoder", "storage", "keeper", "other"] as const;
  const none = ["denied", "none", "busy"] as const;
  const problems: Problem[] = [
    ...kinds.map((kind) => ({ kind })),
    ...none.flatMap((why) => [{ kind: "camera", why } as const, { kind: "microphone", why } as const]),
    { kind: "server", status: 503 },
  ];
  const said = LANGUAGES.flatMap((language) => problems.map((problem) => wordsIn(language).problem(problem)));
  expect(new Set(said).size).toBe(said.length);
});
