import { expect, test } from "vitest";
import { type Reading, length_s, readPlaylist } from "./reading";

const AT = Date.parse("2026-11-22T12:00:00.000Z");

/** As the server writes it: what is late has arrived. */
const DVR = `#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,HOLD-BACK=6.0
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T12:00:00.000Z
#EXTINF:2.0,
0.ts
#EXT-X-DATERANGE:ID="i1",CLASS="headwater.interrupted",START-DATE="2026-11-22T12:00:02.000Z"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T12:00:02.000Z
#EXTINF:2.5,
#EXT-X-GAP
gap-1.ts
#EXT-X-DATERANGE:ID="i1",CLASS="headwater.interrupted",START-DATE="2026-11-22T12:00:02.000Z",END-DATE="2026-11-22T12:00:04.500Z",DURATION=2.5
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T12:00:04.500Z
#EXTINF:2.0,
3.ts
#EXT-X-DATERANGE:ID="r2",CLASS="headwater.recovered",START-DATE="2026-11-22T12:00:02.000Z",END-DATE="2026-11-22T12:00:04.500Z",DURATION=2.5,X-URI="catchup.m3u8?from=1",X-FROM=1,X-TO=2
`;

function read(text: string, before: Reading | null = null): Reading {
  const reading = readPlaylist(text, before);
  if (!reading) throw new Error("it cannot be read");
  return reading;
}

test("entries, gaps and what the server says", () => {
  const reading = read(DVR);
  expect(reading).toMatchObject({ target_s: 2, type: "event", isEnded: false, canSkip: true, canBlock: true });
  expect(reading.entries).toEqual([
    { msn: 0, at_ms: AT, duration_s: 2, from_s: 0, isGap: false, uri: "0.ts" },
    { msn: 1, at_ms: AT + 2000, duration_s: 2.5, from_s: 2, isGap: true, uri: "gap-1.ts" },
    { msn: 2, at_ms: AT + 4500, duration_s: 2, from_s: 4.5, isGap: false, uri: "3.ts" },
  ]);
  expect(length_s(reading)).toBe(6.5);
  const dates = { start_ms: AT + 2000, end_ms: AT + 4500 };
  expect(reading.ranges).toEqual([
    { kind: "interrupted", id: "i1", ...dates },
    { kind: "recovered", id: "r2", ...dates, from: 1, to: 2 },
  ]);
  expect(read(`${DVR}#EXT-X-ENDLIST\n`).isEnded).toBe(true);
});

test("a delta update adds to what was known", () => {
  const delta = `#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0
#EXT-X-MEDIA-SEQUENCE:1
#EXT-X-SKIP:SKIPPED-SEGMENTS=2
#EXTINF:2.0,
4.ts
`;
  const after = read(delta, read(DVR));
  expect(after.entries.map(({ msn, uri }) => [msn, uri])).toEqual([[1, "gap-1.ts"], [2, "3.ts"], [3, "4.ts"]]);
  expect(after.entries.at(-1)).toMatchObject({ from_s: 6.5, at_ms: AT + 6500 });
  expect(after.ranges.map(({ id }) => id)).toEqual(["i1", "r2"]);
  // Without what it leaves out, it cannot be read.
  expect(readPlaylist(delta, null)).toBeNull();
  expect(readPlaylist(delta.replace("SEGMENTS=2", "SEGMENTS=9"), read(DVR))).toBeNull();
});

test("what is not understood is passed over", () => {
  const odd = `#EXTM3U\r
#EXT-X-TARGETDURATION:x
#EXT-X-DATERANGE:ID="a",CLASS="headwater.else",START-DATE="2026-11-22T12:00:00Z"
#EXT-X-DATERANGE:ID="b",CLASS="headwater.paused",START-DATE="soon"
#EXT-X-DATERANGE:ID="c",CLASS="headwater.recovered",START-DATE="2026-11-22T12:00:00Z",X-FROM=9,X-TO=2
#EXT-X-DATERANGE:CLASS="headwater.paused"
#EXTINF:-3,title
a.ts\r
`;
  const reading = read(odd);
  expect(reading).toMatchObject({ target_s: 0, ranges: [], type: "live" });
  expect(reading.entries).toMatchObject([{ duration_s: 0, uri: "a.ts", isGap: false }]);
  expect(readPlaylist("<!doctype html>", null)).toBeNull();
  expect(readPlaylist("", null)).toBeNull();
});
