import { expect, test } from "vitest";
import { atLive, nameOf } from "./at-live";
import { LANGUAGES } from "../language";
import { type Command, commandOf } from "./keys";
import { type Situation, messageFor } from "./message";
import { lateFor } from "./missed";
import { linkAt, momentIn } from "./moment";
import { newsSince, seenNow } from "./news";
import { addressOf, readMultivariant } from "./multivariant";
import type { Range } from "./reading";
import { sample } from "./samples";
import { Addresses, posterOf } from "./source";
import type { Knowledge } from "./standing";
import { wordsIn } from "./words";

const words = wordsIn("en");
const live: Situation = {
  knowledge: { standing: { kind: "live" }, silence: null, refused: null },
  picture: "moving",
  shouldPlay: true,
  isUnplayable: false,
  isRenewed: false,
  waitsAtHole: false,
  isAtLive: true,
  hasSource: true,
  isRecording: false,
};
const interrupted: Knowledge = { standing: { kind: "interrupted", since_ms: 5 }, silence: null, refused: null };

test("each trouble has its own words, and no two the same", () => {
  const standing = (kind: string, more: Partial<Situation> = {}): Situation => {
    return { ...live, picture: "standing", knowledge: { standing: { kind, since_ms: 5 } as never, silence: null, refused: null }, ...more };
  };
  const silent = (kind: "offline" | "server"): Situation => {
    return { ...live, picture: "standing", knowledge: { standing: { kind: "live" }, silence: { kind, since_ms: 5 }, refused: null } };
  };
  const situations = [
    standing("interrupted"),
    standing("paused"),
    standing("not-started", { picture: "none" }),
    standing("no-such-broadcast", { picture: "none" }),
    standing("ended", { picture: "ended" }),
    standing("ended", { picture: "none", hasSource: false }),
    silent("offline"),
    silent("server"),
    { ...live, isUnplayable: true },
    { ...live, isRenewed: true },
    { ...live, waitsAtHole: true },
  ];
  for (const language of LANGUAGES) {
    const said = situations.map((situation) => messageFor(situation, wordsIn(language))?.title);
    expect(new Set(said).size, language).toBe(situations.length);
    expect(said, language).not.toContain(undefined);
  }
});

test("live is only said of what goes on", () => {
  const silence = { kind: "offline", since_ms: 5 } as const;
  const state = (isAtLive: boolean, more: Partial<Knowledge>) => atLive(isAtLive, { ...live.knowledge, ...more });
  expect([state(true, {}), state(false, {}), state(true, interrupted), state(false, interrupted)]).toEqual(["live", "behind", "interrupted", "behind"]);
  expect([state(true, { standing: { kind: "paused", since_ms: 5 } }), state(true, { silence })]).toEqual(["paused", "unheard"]);
  for (const language of LANGUAGES) {
    const names = (["live", "interrupted", "paused"] as const).map((one) => nameOf(one, wordsIn(language)));
    expect(new Set(names).size, language).toBe(3);
    // Whoever says what they see has to be understood.
    for (const name of names.slice(1)) expect(name?.toLowerCase(), language).toContain(wordsIn(language).live.toLowerCase());
  }
});

test("that the broadcast goes on is said of one that does", () => {
  const standings = ["live", "loading", "not-started", "interrupted", "paused", "ended", "complete"] as const;
  for (const language of LANGUAGES) {
    const spoken = wordsIn(language);
    for (const kind of standings) {
      const knowledge: Knowledge = { standing: { kind, since_ms: 5 }, silence: { kind: "offline", since_ms: 5 }, refused: null };
      const hint = messageFor({ ...live, picture: "standing", knowledge }, spoken)?.hint;
      expect(hint, `${language} ${kind}`).toBe(kind === "live" ? spoken.offlineHint : spoken.offlineStillHint);
    }
    expect(spoken.offlineStillHint).not.toBe(spoken.offlineHint);
  }
});

test("what still moves is not covered, and the past only needs to know", () => {
  expect(messageFor(live, words)).toBeNull();
  expect(messageFor({ ...live, knowledge: interrupted }, words)).toMatchObject({ weight: "line", since_ms: 5 });
  expect(messageFor({ ...live, knowledge: interrupted, picture: "standing" }, words)?.weight).toBe("card");
  const past = { ...live, knowledge: interrupted, isAtLive: false };
  expect(messageFor(past, words)).toMatchObject({ weight: "line", title: words.liveInterrupted });
});

test("a page from before an upgrade is to be loaded again, once the server can be heard", () => {
  const renewed = { ...live, picture: "none", isRenewed: true } as const;
  expect(messageFor(renewed, words)).toMatchObject({ kind: "renewed", weight: "card", actions: ["reload"] });
  const knowledge: Knowledge = { ...live.knowledge, silence: { kind: "offline", since_ms: 5 } };
  expect(messageFor({ ...renewed, knowledge }, words)).toMatchObject({ kind: "offline", actions: [] });
});

test("after the end there is something to do", () => {
  const over = (kind: "ended" | "complete", isRecording: boolean) => {
    return messageFor({ ...live, knowledge: { standing: { kind }, silence: null, refused: null }, picture: "ended", isRecording }, words);
  };
  expect(over("complete", false)?.actions).toEqual(["watch-recording"]);
  expect(over("complete", true)?.actions).toEqual(["watch-from-start"]);
  expect(over("ended", false)?.actions).toEqual(["watch-from-start"]);
});

test("what should play and does not is said, of a recording too", () => {
  const refused = (times: number) => ({ times, since_ms: 7 });
  for (const kind of ["live", "ended", "complete"] as const) {
    const stands = (picture: Situation["picture"], more: Partial<Situation> = {}, times = 0) => {
      const knowledge: Knowledge = { standing: { kind }, silence: null, refused: times > 0 ? refused(times) : null };
      return messageFor({ ...live, picture, isRecording: kind === "complete", ...more, knowledge }, words);
    };
    for (const picture of ["none", "standing"] as const) {
      expect(stands(picture), `${kind} ${picture}`).toMatchObject({ kind: "buffering", weight: "line" });
      // Who has stopped it waits for nothing; nor does who has to press first.
      expect(stands(picture, { shouldPlay: false }), `${kind} ${picture}`).toBeNull();
      // A server that refuses now and then is a slow one.
      expect(stands(picture, {}, 2), `${kind} ${picture}`).toMatchObject({ kind: "buffering" });
      expect(stands(picture, {}, 3), `${kind} ${picture}`).toMatchObject({ kind: "server", weight: "card", since_ms: 7 });
    }
    // What is at hand is shown first.
    expect(stands("moving", {}, 9), kind).toBeNull();
    expect(stands("held", { shouldPlay: false }, 9), kind).toBeNull();
  }
  const nothing = { ...live, picture: "none", hasSource: false } as const;
  const ended: Knowledge = { standing: { kind: "ended" }, silence: null, refused: null };
  expect(messageFor({ ...nothing, knowledge: ended }, words)).toMatchObject({ kind: "nothing-recorded" });
});

test("each piece of news is spoken once", () => {
  const message = messageFor({ ...live, knowledge: interrupted, picture: "standing" }, words);
  const missed = { kind: "away", at_ms: 0, length_s: 200 } as const;
  const calm = seenNow(null, null, { kind: "live" });
  const stopped = seenNow(message, null, { kind: "live" });
  expect(newsSince(calm, stopped, message, null, words)).toEqual([`${words.interrupted} ${words.interruptedHint}`]);
  expect(newsSince(stopped, stopped, message, null, words)).toEqual([]);
  // The end of the message and the offer come together.
  const offered = seenNow(null, missed, { kind: "live" });
  expect(newsSince(stopped, offered, null, missed, words)).toEqual(["You can watch what you missed: 3 minutes 20 seconds."]);
  const behind = seenNow(null, null, { kind: "catching-up" });
  expect(newsSince(offered, behind, null, null, words)).toEqual([words.catchingUpSpoken]);
  expect(newsSince(behind, calm, null, null, words)).toEqual([words.liveAgain]);
});

test("what was missed is offered to those who were there, once", () => {
  const late = (id: string, start_s: number, from: number): Range => {
    return { kind: "recovered", id, start_ms: start_s * 1000, end_ms: start_s * 1000 + 20_000, from, to: from + 9 };
  };
  const reading = sample("m", { ranges: [late("a", 10, 5), late("b", 100, 50), late("c", 200, 100)] });
  expect(lateFor(reading, 60_000, new Set())).toEqual({ kind: "late", from: 50, length_s: 40, ids: ["b", "c"] });
  expect(lateFor(reading, 60_000, new Set(["b"]))).toMatchObject({ from: 100, length_s: 20 });
  expect(lateFor(reading, 60_000, new Set(["b", "c"]))).toBeNull();
  expect(lateFor(sample("m"), 0, new Set())).toBeNull();
});

test("a link to a moment leads there", () => {
  const at_ms = Date.parse("2026-11-22T12:00:07.900Z");
  const link = linkAt("https://h.example/watch/x?lang=sl#a", at_ms);
  expect(link).toBe("https://h.example/watch/x?lang=sl&t=2026-11-22T12%3A00%3A07Z");
  expect(momentIn(new URL(link).search)).toBe(at_ms - 900);
  expect(linkAt("https://h.example/watch/x?t=1", null)).toBe("https://h.example/watch/x");
  const cases: [string, number | null][] = [
    ["?t=1795348807", 1_795_348_807_000],
    ["?t=soon", null],
    ["?t=", null],
    ["?t=99", null],
    ["?t=2026-13-45", null],
  ];
  for (const [search, moment] of cases) expect(momentIn(search), search).toBe(moment);
});

test("keys", () => {
  const press = (key: string, more = {}) => commandOf({ key, ctrlKey: false, altKey: false, metaKey: false, ...more });
  const cases: [string, Command | null][] = [
    [" ", { kind: "toggle-play" }],
    ["K", { kind: "toggle-play" }],
    ["l", { kind: "live" }],
    ["7", { kind: "part", part: 0.7 }],
    ["ArrowLeft", { kind: "skip", seconds: -10 }],
    ["?", { kind: "help" }],
    ["x", null],
    ["constructor", null],
  ];
  for (const [key, command] of cases) expect(press(key), key).toEqual(command);
  expect(press("f", { ctrlKey: true })).toBeNull();
});

test("addresses of what can be played", () => {
  const source = "https://h.example/hls/abc/index.m3u8?token=x";
  const text = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmain/live.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow/live.m3u8\n';
  const found = readMultivariant(text);
  expect(found).toEqual({ view: "live", first: "main/live.m3u8", hasMedia: false });
  if (!found) return;
  const addresses = new Addresses(source, found);
  expect(addresses.mediaOf({ kind: "dvr" })).toBe("https://h.example/hls/abc/main/dvr.m3u8");
  expect(addresses.mediaOf({ kind: "catchup", from: 7 })).toBe("https://h.example/hls/abc/main/catchup.m3u8?from=7");
  // After a loss of metadata live and dvr are elsewhere.
  const moved = readMultivariant(text.replaceAll("live.m3u8", "live-17.m3u8"))!;
  expect(moved.view).toBe("live");
  const elsewhere = new Addresses("https://h.example/hls/abc/index.m3u8", moved);
  expect(elsewhere.mediaOf({ kind: "dvr" })).toBe("https://h.example/hls/abc/main/dvr-17.m3u8");
  expect(elsewhere.mediaOf({ kind: "vod" })).toBe("https://h.example/hls/abc/main/vod.m3u8");
  expect(addresses.stillOf("12.ts", 160)).toBe("https://h.example/hls/abc/main/12.jpg?width=160");
  expect(addresses.stillOf("gap-3.ts", 160)).toBeNull();
  expect(addressOf(source, "dvr")).toBe(`${source}&view=dvr`);
  expect(addressOf(source, { catchupFrom: 3 })).toBe(`${source}&view=catchup&from=3`);
  expect(posterOf(source, 640)).toBe("https://h.example/hls/abc/poster.jpg?width=640");
  expect(posterOf("https://h.example/x.m3u8", 640)).toBeNull();
  expect(readMultivariant("#EXTM3U\n")).toBeNull();
  expect(readMultivariant("<html>")).toBeNull();
  expect(readMultivariant("#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO\nx/other.m3u8")).toMatchObject({ view: "other", hasMedia: true });
});
