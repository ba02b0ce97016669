import { expect, test } from "vitest";
import { sessionHeaders } from "./cmcd";

test("the session is told to the page's own server, and to nobody else", () => {
  const page = "https://live.example/embed/01abc";
  const told = { "CMCD-Session": 'sid="7f"' };
  const cases: [string, Record<string, string>][] = [
    ["https://live.example/hls/01abc/index.m3u8?view=dvr", told],
    ["/hls/01abc/main/5.ts", told],
    ["https://cdn.example/hls/01abc/main/5.ts", {}],
    ["http://live.example/hls/01abc/index.m3u8", {}],
    ["https://live.example:8443/hls/01abc/index.m3u8", {}],
  ];
  for (const [url, headers] of cases) expect(sessionHeaders(url, page, "7f"), url).toEqual(headers);
});

test("it is one session for as long as the page is open", () => {
  const page = "http://live.example/";
  expect(sessionHeaders(page, page)["CMCD-Session"]).toMatch(/^sid="[0-9a-f]{32}"$/);
  expect(sessionHeaders(page, page)).toEqual(sessionHeaders(page, page));
});
