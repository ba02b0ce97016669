/** Which spools are opened, and what becomes of those that cannot be. */
import { beforeEach, expect, it, vi } from "vitest";
import type { Address } from "./messages";
import { Shelf } from "./shelf";

const address = (id: string, token = "t"): Address => ({ id, token, server: "http://r", title: "" });

interface Fake {
  id: string;
  isGone: boolean;
  destroy(): Promise<void>;
  begin(): void;
  readdress(address: Address): Promise<void>;
  discard(): Promise<void>;
}

let given: Address[] = [];
let others = new Set<string>();
let broken = new Set<string>();
let deleted: string[] = [];
let begun: string[] = [];

const shelf = (...ids: string[]) =>
  new Shelf<Fake>({
    all: async () => ids,
    hold: async (id) => !others.has(id),
    holdLater: () => new Promise(() => undefined),
    open: async (id, known) => {
      if (broken.has(id) && known === null) throw new Error("torn");
      return {
        id,
        isGone: false,
        destroy: async () => void deleted.push(`what was done of ${id}`),
        begin: () => void begun.push(id),
        readdress: async (address) => void given.push(address),
        discard: async () => void deleted.push(`all of ${id}`),
      };
    },
    remove: async (id) => void deleted.push(id),
  });

beforeEach(() => {
  [given, others, broken, deleted, begun] = [[], new Set(), new Set(), [], []];
  vi.spyOn(console, "error").mockReturnValue();
});

it("opens the others beside one that cannot be read or that another tab has", async () => {
  broken.add("a");
  others.add("b");
  const here = shelf("a", "b", "c");
  await vi.waitFor(() => expect([...here.spools.keys()]).toEqual(["c"]));
  expect([[...here.unreadable], [...here.held]]).toEqual([["a"], ["b"]]);
});

it("says why nothing was opened, and opens it with what is needed for that", async () => {
  broken.add("a");
  others.add("b");
  const here = shelf("a", "b");
  expect(await here.adopt(address("a", ""))).toEqual({ kind: "unreadable" });
  expect(await here.adopt(address("b"))).toEqual({ kind: "held" });
  expect(await here.adopt(address("a"))).toBeNull();
  expect([here.spools.has("a"), here.unreadable.size]).toEqual([true, 0]);
});

it("gives a spool that is open what a link says, and makes none for a link alone", async () => {
  const here = shelf("a");
  expect(await here.adopt(address("a", ""))).toBeNull();
  expect(given).toEqual([]);
  expect(await here.adopt(address("a", "new"))).toBeNull();
  await here.know(address("a", "newer"));
  await here.know(address("x"));
  expect(given.map(({ token }) => token)).toEqual(["new", "newer"]);
  expect([...here.spools.keys()]).toEqual(["a"]);
});

it("deletes what is here, whether it can be read or not, and nothing of another tab", async () => {
  broken.add("a");
  others.add("b");
  const here = shelf("a", "b", "c");
  for (const id of ["a", "b", "c", "x"]) await here.discard(id);
  expect(deleted).toEqual(["a", "all of c"]);
  expect([here.spools.size, here.unreadable.size, [...here.held]]).toEqual([0, 0, ["b"]]);
  expect(await here.adopt(address("c"))).toBeNull();
});

it("opens anew what is done when it is recorded to again, and not for a link alone", async () => {
  const here = shelf("a");
  expect(await here.adopt(address("a"))).toBeNull();
  const done = here.spools.get("a")!;
  done.isGone = true;
  await here.know(address("a", "new"));
  expect([here.spools.get("a") === done, deleted]).toEqual([true, []]);
  expect(await here.adopt(address("a", "new"))).toBeNull();
  expect([here.spools.get("a") === done, deleted, begun]).toEqual([false, ["what was done of a"], ["a", "a"]]);
  expect(given.map(({ token }) => token)).toEqual(["t"]);
});

it("opens later what cannot be opened now, and says once why", async () => {
  broken.add("a");
  broken.add("b");
  const here = shelf("a", "b");
  await vi.waitFor(() => expect(here.unreadable.size).toBe(2));
  broken.delete("a");
  await here.openAgain();
  expect([[...here.spools.keys()], [...here.unreadable]]).toEqual([["a"], ["b"]]);
  expect(console.error).toHaveBeenCalledTimes(2);
});
