import { afterEach, expect, test, vi } from "vitest";
import { Renewed, loaded } from "./code";

afterEach(() => vi.unstubAllGlobals());

const gone = () => Promise.reject(new TypeError("no such module"));

test("what is there is loaded, and nobody is asked", async () => {
  const fetch = vi.fn();
  vi.stubGlobal("fetch", fetch);
  expect(await loaded(async () => 7)).toBe(7);
  expect(fetch).not.toHaveBeenCalled();
});

test.each([
  ["its server answers", { type: "basic", status: 404 }, Renewed],
  ["a server of another origin answers", { type: "opaque", status: 0 }, Renewed],
  ["the server is being renewed, and somebody else answers for it", { type: "basic", status: 502 }, TypeError],
  ["nobody answers", null, TypeError],
] as const)("code that cannot be had while %s", async (_, answer, kind) => {
  vi.stubGlobal("fetch", () => (answer ? Promise.resolve(answer) : Promise.reject(new TypeError("Failed to fetch"))));
  await expect(loaded(gone)).rejects.toBeInstanceOf(kind);
  // One is no kind of the other.
  await expect(loaded(gone)).rejects.not.toBeInstanceOf(kind === Renewed ? TypeError : Renewed);
});
