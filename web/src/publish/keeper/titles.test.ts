/** What a broadcast is called that another tab has. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Titles } from "./titles";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it("is read once, and again a while after that has failed", async () => {
  vi.spyOn(console, "warn").mockReturnValue();
  const read = vi.fn<(id: string) => Promise<string>>().mockRejectedValueOnce(new Error("busy")).mockResolvedValue("Regatta");
  const titles = new Titles(read);
  for (const [title, reads] of [["", 1], ["", 2], ["Regatta", 2], ["Regatta", 2]] as const) {
    expect([titles.get("a"), read.mock.calls.length]).toEqual([title, reads]);
    await vi.advanceTimersByTimeAsync(10_000);
  }
});
