/** The page's end of a worker that fails. */
import { afterEach, expect, it, vi } from "vitest";
import { Keeper } from "./keeper";

class FakeWorker extends EventTarget {
  static last: FakeWorker;

  constructor() {
    super();
    FakeWorker.last = this;
  }

  postMessage(): void {}

  fail(message: string): void {
    this.dispatchEvent(Object.assign(new Event("error"), { message }));
  }
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

it("lets nobody wait for a worker that has failed", async () => {
  vi.stubGlobal("Worker", FakeWorker);
  vi.stubGlobal("addEventListener", () => undefined);
  vi.spyOn(console, "error").mockReturnValue();
  const failed = vi.fn();
  const nothing = () => undefined;
  const keeper = new Keeper({ status: nothing, kept: nothing, lost: nothing, saved: nothing, leftOut: nothing, notSaved: nothing, wanted: nothing, failed });
  const address = { id: "b", token: "t", server: "http://r", title: "" };
  const [adopted, reported, given] = [keeper.adopt(address), keeper.report("b"), keeper.handOver("b")];
  FakeWorker.last.fail("out of memory");
  expect(await adopted).toEqual({ kind: "dead" });
  expect(await reported).toEqual([]);
  expect(await given).toBe(false);
  const again = keeper.adopt(address);
  FakeWorker.last.fail("");
  expect(await again).toEqual({ kind: "dead" });
  expect(await keeper.adopt(address)).toEqual({ kind: "dead" });
  expect(await keeper.handOver("b")).toBe(false);
  expect(failed).toHaveBeenCalledTimes(2);
});
