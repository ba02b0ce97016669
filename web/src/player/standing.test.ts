import { expect, test } from "vitest";
import { sample } from "./samples";
import { type Knowledge, NOTHING_KNOWN, type News, answerLimit_ms, hasStarted, heard, isOver, readAbsence, silenceLimit_ms } from "./standing";

const open = (kind: "interrupted" | "paused", end_ms: number | null = null) =>
  ({ kind, id: kind, start_ms: 8_000, end_ms }) as const;
const playlist = (reading: Parameters<typeof sample>[1] = {}): News => ({ kind: "playlist", reading: sample("mmm", reading) });
const after = (...news: News[]): Knowledge =>
  news.reduce<Knowledge>((knowledge, item, index) => heard(knowledge, item, 1000 * index), NOTHING_KNOWN);

test("the playlist says how the broadcast stands", () => {
  const cases: [News, Knowledge["standing"]][] = [
    [playlist(), { kind: "live" }],
    [playlist({ ranges: [open("interrupted")] }), { kind: "interrupted", since_ms: 8_000 }],
    [playlist({ ranges: [open("interrupted", 9_000)] }), { kind: "live" }],
    [playlist({ ranges: [open("interrupted", 9_000), open("paused")] }), { kind: "paused", since_ms: 8_000 }],
    [playlist({ isEnded: true, ranges: [open("interrupted")] }), { kind: "ended" }],
    [playlist({ isEnded: true, type: "vod" }), { kind: "complete" }],
    [{ kind: "recording" }, { kind: "complete" }],
    [{ kind: "found", view: "live" }, { kind: "live" }],
    [{ kind: "found", view: "dvr" }, { kind: "ended" }],
    [{ kind: "found", view: "vod" }, { kind: "complete" }],
    [{ kind: "found", view: "other" }, { kind: "live" }],
    [{ kind: "absent", absence: { kind: "nothing-yet", isOver: false } }, { kind: "not-started" }],
    [{ kind: "absent", absence: { kind: "nothing-yet", isOver: true } }, { kind: "ended" }],
    [{ kind: "absent", absence: { kind: "no-such-broadcast" } }, { kind: "no-such-broadcast" }],
  ];
  for (const [news, standing] of cases) expect(after(news)).toEqual({ standing, silence: null, refused: null });
});

test("silence hides the standing, and the first silence counts", () => {
  const offline: News = { kind: "failure", failure: "offline" };
  const silent = after(playlist(), offline, offline);
  expect(silent).toEqual({ standing: { kind: "live" }, silence: { kind: "offline", since_ms: 1000 }, refused: null });
  expect(heard(silent, { kind: "failure", failure: "server" }, 9_000).silence).toEqual({ kind: "server", since_ms: 1000 });
  expect(heard(silent, playlist(), 9_000).silence).toBeNull();
  expect(heard(silent, { kind: "word" }, 9_000)).toEqual({ standing: { kind: "live" }, silence: null, refused: null });
});

test("segments that are refused count until one comes, whatever playlists say", () => {
  const refused: News = { kind: "segment", outcome: "refused" };
  const withheld = after(playlist(), refused, refused, playlist(), refused, { kind: "word" });
  expect(withheld).toEqual({ standing: { kind: "live" }, silence: null, refused: { times: 3, since_ms: 1000 } });
  expect(heard(withheld, { kind: "segment", outcome: "came" }, 9_000).refused).toBeNull();
});

test("a recording that is finished stays finished", () => {
  expect(after({ kind: "recording" }, playlist({ isEnded: true })).standing).toEqual({ kind: "complete" });
});

test("answers instead of a playlist", () => {
  const cases: [number, unknown, ReturnType<typeof readAbsence>][] = [
    [404, { type: "/problems/not-yet", state: "created" }, { kind: "nothing-yet", isOver: false }],
    [404, { type: "/problems/not-yet", state: "ended" }, { kind: "nothing-yet", isOver: true }],
    [404, { type: "/problems/no-such-broadcast" }, { kind: "no-such-broadcast" }],
    [404, null, { kind: "no-such-broadcast" }],
    [400, { state: 3 }, { kind: "no-such-broadcast" }],
    [503, { state: "live" }, "server"],
    [500, "text", "server"],
  ];
  for (const [status, document, read] of cases) expect(readAbsence(status, document), `${status}`).toEqual(read);
});

test("what has begun, what is over, how long silence may last", () => {
  const all = ["loading", "no-such-broadcast", "not-started", "live", "interrupted", "paused", "ended", "complete"] as const;
  const standings = all.map((kind) => ({ kind, since_ms: 0 }) as Knowledge["standing"]);
  expect(standings.filter(hasStarted).map(({ kind }) => kind)).toEqual(["live", "interrupted", "paused", "ended", "complete"]);
  expect(standings.filter(isOver).map(({ kind }) => kind)).toEqual(["ended", "complete"]);
  expect([0, 1, 2, 6].map(silenceLimit_ms)).toEqual([5_000, 5_000, 6_000, 18_000]);
  // A server may hold a blocking reload back for three target durations: we wait longer than that.
  expect([0, 4, 6, 10].map(answerLimit_ms)).toEqual([15_000, 15_000, 21_000, 33_000]);
});
