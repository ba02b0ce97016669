import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Follower, ask } from "./follow";

const URL_OF_LIVE = "https://h.example/hls/a/main/live.m3u8";
const listener = { reading: vi.fn(), absent: vi.fn(), failure: vi.fn(), moved: vi.fn() };
const fetched = vi.fn<(url: string, init: RequestInit) => Promise<Response>>();

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal("document", { baseURI: "https://h.example/watch/a" });
  vi.stubGlobal("fetch", fetched);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  for (const mock of [fetched, ...Object.values(listener)]) mock.mockReset();
});

/** A live playlist of `count` segments of 2 s. */
function playlist(count: number): string {
  const head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n";
  return head + Array.from({ length: count }, (_, seq) => `#EXTINF:2,\n${seq}.ts\n`).join("");
}

/** What it asks with, in the order of asking, while the server answers so to who waits and to who does not. */
async function queries(answer: (msn: string | null) => Response, ms: number): Promise<string[]> {
  const asked: string[] = [];
  fetched.mockImplementation(async (url) => {
    asked.push(new URL(url).search);
    return answer(new URL(url).searchParams.get("_HLS_msn"));
  });
  const follower = new Follower(URL_OF_LIVE, "https://h.example/hls/a/index.m3u8", listener);
  await vi.advanceTimersByTimeAsync(ms);
  follower.destroy();
  return asked;
}

const unavailable = () => Response.json({ state: "live" }, { status: 503 });

test("live that rests is no trouble of the server's: it is asked without waiting until it goes on", async () => {
  let count = 3;
  setTimeout(() => (count = 4), 2_000);
  const answer = (msn: string | null) => (msn !== null && Number(msn) >= count ? unavailable() : new Response(playlist(count)));
  // In vain; at once without waiting; and so each half target duration, until there is more to wait for.
  expect(await queries(answer, 3_100)).toEqual(["", "?_HLS_msn=3", "", "", "", "?_HLS_msn=4", ""]);
  expect(listener.failure).not.toHaveBeenCalled();
});

test("who gets no playlist at all has a server in trouble", async () => {
  let isDown = false;
  setTimeout(() => (isDown = true), 200);
  expect(await queries(() => (isDown ? unavailable() : new Response(playlist(3))), 1_000)).toEqual(["", "?_HLS_msn=3", ""]);
  expect(listener.failure.mock.calls).toEqual([["server"]]);
});

test("a browser that cannot combine signals can ask", async () => {
  vi.stubGlobal("AbortSignal", { any: undefined, timeout: undefined });
  fetched.mockResolvedValue(new Response(playlist(1)));
  expect(await ask(URL_OF_LIVE, new AbortController().signal)).toMatchObject({ kind: "text", text: playlist(1) });
  expect(vi.getTimerCount(), "nothing is left to come").toBe(0);
});

test("nobody answers, an answer that breaks off, and one that takes too long: the network", async () => {
  const { signal } = new AbortController();
  const offline = { kind: "failure", failure: "offline" };
  fetched.mockRejectedValueOnce(new TypeError("Failed to fetch"));
  expect(await ask(URL_OF_LIVE, signal)).toEqual(offline);
  const breaks = new ReadableStream({ pull: (stream) => stream.error(new TypeError("network error")) });
  fetched.mockResolvedValueOnce(new Response(breaks));
  expect(await ask(URL_OF_LIVE, signal)).toEqual(offline);
  fetched.mockImplementationOnce((_url, { signal: limit }) => {
    return new Promise((_resolve, reject) => limit?.addEventListener("abort", () => reject(limit.reason as Error)));
  });
  const asking = ask(URL_OF_LIVE, signal);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(await asking).toEqual(offline);
});

test("a defect of ours is not the viewer's network", async () => {
  vi.stubGlobal("document", undefined);
  await expect(ask(URL_OF_LIVE, new AbortController().signal)).rejects.toThrow(TypeError);
});
