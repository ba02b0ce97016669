import { expect, test } from "vitest";
import { type Following, afterAway, afterSeek, behind_s, beyond_s, catchUpRate, follow, isBehind, joinedAt_ms, liveEdge_s, mayStepOver, waitsAtHole } from "./rejoin";
import { sample } from "./samples";

test("live is three target durations before the end, and gaps are no way to go", () => {
  const cases: [string, number, number][] = [
    ["mmmmmmmmmm", 14, 0],
    ["mmmmmmmmmm", 10, 4],
    ["mmmmmmmmmm", 11.5, 2.5],
    // At the hole, 6 s of media are left behind it: that is live.
    ["mmm....mmm", 6, 0],
    ["mmm....mmmm", 6, 2],
    ["mmm....", 6, 0],
    ["mmmmmmmmmm", 0, 14],
  ];
  for (const [pattern, position_s, behind] of cases) {
    expect(behind_s(position_s, sample(pattern), null), `${pattern} at ${position_s}`).toBe(behind);
  }
  expect(liveEdge_s(sample("mmmmmmmmmm"))).toBe(14);
  expect(liveEdge_s(sample("m"))).toBe(0);
});

test("who joins begins with the third from the last", () => {
  const joined = (pattern: string) => joinedAt_ms(sample(pattern, { start_ms: 7_000 }));
  expect([joined("mmmmm"), joined("mm"), joined("")]).toEqual([11_000, 7_000, null]);
});

test("under catch-up, what live has beyond counts too", () => {
  const live = sample("mmm....mmmmm");
  // Up to date: the same end.
  expect(beyond_s(sample("mmmmmmmmmmmm"), live)).toBe(0);
  expect(waitsAtHole(sample("mmmmmmmmmmmm"), live)).toBe(false);
  // It waits at the hole; live has five more.
  const waiting = sample("mmm");
  expect(beyond_s(waiting, live)).toBe(10);
  expect(waitsAtHole(waiting, live)).toBe(true);
  expect(behind_s(6, waiting, live)).toBe(4);
  expect(waitsAtHole(waiting, null)).toBe(false);
  // One segment more is a matter of who asked last.
  expect(waitsAtHole(sample("mmmmmmmmmmm"), live)).toBe(false);
});

test("a little faster, and live again by itself", () => {
  const rates = [200, 30, 10, 3, 1].map(catchUpRate);
  expect(rates).toEqual([1.25, 1.25, 1.2, 1.2, 1.1]);
  expect(follow({ kind: "catching-up" }, 3)).toEqual({ kind: "catching-up" });
  expect(follow({ kind: "catching-up" }, 0.4)).toEqual({ kind: "live" });
  expect(follow({ kind: "free" }, 0)).toEqual({ kind: "free" });
  expect(follow({ kind: "live" }, 90)).toEqual({ kind: "live" });
});

test("a playlist that grows by a segment at a time is not behind", () => {
  const cases: [number, number, boolean][] = [
    [1, 6, false],
    [1, 8, true],
    [6, 11, false],
    [6, 13, true],
  ];
  for (const [target_s, behind, is] of cases) expect(isBehind(behind, sample("m", { target_s })), `${target_s}`).toBe(is);
});

test("a picture that stands is moved over holes, and at live over anything, but not over what was asked for", () => {
  const [live, catchingUp, free] = [{ kind: "live" }, { kind: "catching-up" }, { kind: "free" }] as const;
  const may = (following: Following, pattern: string, from_s: number, by_s: number) =>
    mayStepOver(following, sample(pattern), { from_s, by_s, isFirst: false });
  for (const following of [catchingUp, free]) {
    // Sought back to 6, with media from 8 on: the segment is on its way.
    expect(may(following, "mmmmmmm", 6, 2)).toBe(false);
    // Half a second before, and far before a hole.
    expect([may(following, "mm..mmm", 3.75, 4.25), may(following, "mm..mmm", 2, 6)]).toEqual([true, false]);
    // In the hole, with all after it, and with a part of that.
    expect([may(following, "mm..mmm", 4.5, 3.5), may(following, "mm..mmm", 4.5, 5.5)]).toEqual([true, false]);
    // A little before media that begins later than the playlist says.
    expect(may(following, "mmmmmmm", 0, 0.0625)).toBe(true);
  }
  // A page that opens beside a hole in a young broadcast.
  expect([may(live, "m....mm", 1.5, 8.5), may(live, "mmmmmmm", 0, 4)]).toEqual([true, true]);
});

test("what cannot begin where a link leads is begun a little later", () => {
  const free = { kind: "free" } as const;
  const may = (by_s: number, isFirst: boolean) => mayStepOver(free, sample("mmmmmmm"), { from_s: 5.4, by_s, isFirst });
  // Media that begins later than the playlist says: what is loaded first is what is there, so that is what there is of it.
  expect([0.4, 0.8, 2].map((by_s) => may(by_s, true))).toEqual([true, true, true]);
  expect([0.4, 0.8, 2].map((by_s) => may(by_s, false))).toEqual([true, false, false]);
  // More than a segment is no fault of one.
  expect(may(2.1, true)).toBe(false);
});

test("a seek leads away from live, or nearer to it", () => {
  const [live, catchingUp, free] = [{ kind: "live" }, { kind: "catching-up" }, { kind: "free" }] as const;
  expect(afterSeek(catchingUp, 10, false)).toEqual(catchingUp);
  expect(afterSeek(catchingUp, -10, false)).toEqual(free);
  expect(afterSeek(live, -10, false)).toEqual(free);
  expect(afterSeek(free, 10, false)).toEqual(free);
  for (const before of [live, catchingUp, free]) expect(afterSeek(before, 10, true)).toEqual(live);
});

test("after the viewer's own outage", () => {
  expect([1, 20, 300].map(afterAway)).toEqual(["go-on", "catch-up", "offer"]);
});
