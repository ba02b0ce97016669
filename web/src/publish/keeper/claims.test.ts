/** What tabs say to each other about a spool that one of them has. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Between, Claims } from "./claims";

type Hear = Parameters<Between["addEventListener"]>[1];
type Said = Parameters<Between["postMessage"]>[0];

/** The other tabs hear what one says. */
let hearing: { tab: string; hear: Hear }[] = [];

function tab(name: string, ...has: string[]) {
  const wanted = vi.fn();
  const goBehind = vi.fn();
  const between = {
    postMessage: (said: Said) => hearing.filter((other) => other.tab !== name).forEach(({ hear }) => hear({ data: said })),
    addEventListener: (_: "message", hear: Hear) => void hearing.push({ tab: name, hear }),
  };
  const claims = new Claims(between, name, { has: (id) => has.includes(id), wanted, goBehind });
  const hear = (said: Said) => hearing.filter((one) => one.tab === name).forEach(({ hear }) => hear({ data: said }));
  return { claims, wanted, goBehind, hear };
}

beforeEach(() => {
  hearing = [];
  vi.useFakeTimers();
});
afterEach(() => void vi.useRealTimers());

it("asks the tab that has it, and all others let whoever asks have it first", async () => {
  const [here, there, third] = [tab("here"), tab("there", "a"), tab("third", "b")];
  expect(here.claims.get("a")).toBeNull();
  here.claims.want("a");
  expect([there.wanted.mock.calls, third.wanted.mock.calls, third.goBehind.mock.calls]).toEqual([[["a"]], [], [["a"]]]);
  expect([here.claims.get("a"), third.claims.get("a")]).toEqual(["asking", null]);
  // It may have much to write before, and is there.
  await vi.advanceTimersByTimeAsync(60_000);
  expect([here.claims.get("a"), third.claims.get("a")]).toEqual(["asking", null]);
  here.claims.keepOnly(new Set(["b"]));
  expect(here.claims.get("a")).toBeNull();
});

it("says that the person there is asked, and what comes of it", async () => {
  const [here, there] = [tab("here"), tab("there", "a")];
  here.claims.want("a");
  there.claims.answer("a", "person-asked");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(here.claims.get("a")).toBe("recording");
  there.claims.answer("a", "coming");
  expect(here.claims.get("a")).toBe("asking");
  there.claims.answer("a", "held-up");
  expect(here.claims.get("a")).toBe("held-up");
  there.claims.answer("a", "kept");
  expect(here.claims.get("a")).toBe("kept");
  // Whoever was answered hears nothing more, until they ask again.
  there.claims.answer("a", "coming");
  expect(here.claims.get("a")).toBe("kept");
  here.claims.want("a");
  expect([here.claims.get("a"), there.wanted.mock.calls.length]).toEqual(["asking", 2]);
});

it("says when nobody answers, and hears a late answer all the same", async () => {
  const here = tab("here");
  here.claims.want("a");
  await vi.advanceTimersByTimeAsync(2_000);
  here.claims.want("a");
  await vi.advanceTimersByTimeAsync(2_999);
  expect(here.claims.get("a")).toBe("asking");
  await vi.advanceTimersByTimeAsync(1);
  expect(here.claims.get("a")).toBe("silent");
  here.hear({ kind: "answer", id: "a", tab: "here", answer: "person-asked" });
  expect(here.claims.get("a")).toBe("recording");
});

it("takes nothing for an answer that is none", () => {
  const here = tab("here");
  here.claims.want("a");
  for (const said of [{ kind: "hello" }, { kind: "answer", answer: "toString" }, { kind: "answer", answer: undefined }]) {
    here.hear({ id: "a", tab: "here", ...said } as unknown as Said);
    expect(here.claims.get("a")).toBe("asking");
  }
});

it("asks no more when another tab asks later, and can ask again", async () => {
  const [here, there, third] = [tab("here"), tab("there", "a"), tab("third")];
  here.claims.want("a");
  there.claims.answer("a", "person-asked");
  third.claims.want("a");
  there.claims.answer("a", "kept");
  await vi.advanceTimersByTimeAsync(60_000);
  expect([here.claims.get("a"), third.claims.get("a")]).toEqual([null, "kept"]);
  here.claims.want("a");
  expect(here.claims.get("a")).toBe("asking");
});
