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
  written(): Promise<void>;
  handOver(): Promise<void>;
}

let given: Address[] = [];
let others = new Set<string>();
let broken = new Set<string>();
let deleted: string[] = [];
let begun: string[] = [];
let gone: string[] = [];
/** Until one is opened. */
let opening: Promise<void>;
/** Until all is written. */
let writing: Promise<void>;
/** Lets go of what another tab has. */
let letGo: (id: string) => void = () => undefined;

const shelf = (...ids: string[]) => shelfOf(async () => ids);

const shelfOf = (all: () => Promise<string[]>) =>
  new Shelf<Fake>({
    all,
    hold: async (id) => !others.has(id),
    holdLater: (id) => new Promise((resolve) => (letGo = (other) => other === id && resolve())),
    open: async (id, known) => {
      await opening;
      if (broken.has(id) && known === null) throw new Error("torn");
      return {
        id,
        isGone: false,
        destroy: async () => void deleted.push(`what was done of ${id}`),
        begin: () => void begun.push(id),
        readdress: async (address) => void given.push(address),
        written: () => writing,
        handOver: async () => void gone.push(`${id} is written`),
        discard: async () => void deleted.push(`all of ${id}`),
      };
    },
    letGo: (id) => {
      gone.push(id);
      others.add(id);
    },
    remove: async (id) => void deleted.push(id),
  });

beforeEach(() => {
  [given, others, broken, deleted, begun, gone] = [[], new Set(), new Set(), [], [], []];
  writing = opening = Promise.resolve();
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

it("gives another tab what it has, whole, and takes it up again when that lets go of it", async () => {
  broken.add("b");
  const here = shelf("a", "b");
  expect(await here.adopt(address("a"))).toBeNull();
  for (const id of ["a", "b", "x"]) await here.handOver(id);
  expect(gone).toEqual(["a is written", "a", "b"]);
  expect([[...here.spools.keys()], [...here.unreadable], here.has("a")]).toEqual([[], [], false]);
  expect([[...here.held], [...here.handedOver]]).toEqual([["a", "b"], ["a", "b"]]);
  expect(await here.adopt(address("a"))).toEqual({ kind: "held" });
  broken.delete("b");
  letGo("b");
  await vi.waitFor(() => expect([...here.spools.keys()]).toEqual(["b"]));
  expect([[...here.held], [...here.handedOver], here.has("b")]).toEqual([["a"], ["a"], true]);
});

it("keeps nothing else waiting while what is given away cannot be written yet", async () => {
  const here = shelf("a", "b");
  await here.openAgain();
  let written = () => {};
  writing = new Promise((resolve) => (written = resolve));
  const given = here.handOver("a");
  await here.discard("b");
  expect([deleted, gone, [...here.leaving.keys()]]).toEqual([["all of b"], [], ["a"]]);
  // Nothing more is begun with it meanwhile.
  expect([await here.adopt(address("a")), begun]).toEqual([{ kind: "held" }, []]);
  const again = here.handOver("a");
  written();
  expect([await given, await again, await here.handOver("a")]).toEqual([true, true, false]);
  expect([gone, here.leaving.size, [...here.handedOver]]).toEqual([["a is written", "a"], 0, ["a"]]);
});

it("always says where something is that comes back from another tab", async () => {
  const here = shelf("a");
  await here.openAgain();
  await here.handOver("a");
  const isThere = () => here.held.has("a") || here.spools.has("a");
  let open = () => {};
  opening = new Promise((resolve) => (open = resolve));
  letGo("a");
  for (let turn = 0; turn < 20; turn++) {
    await Promise.resolve();
    expect(isThere(), `after ${turn} turns`).toBe(true);
  }
  open();
  await vi.waitFor(() => expect([[...here.spools.keys()], [...here.held], [...here.handedOver]]).toEqual([["a"], [], []]));
});

it("says at once that another tab has what was to be begun", async () => {
  const here = shelf();
  await here.openAgain();
  others.add("a");
  expect(await here.adopt(address("a"))).toEqual({ kind: "held" });
  expect([...here.held]).toEqual(["a"]);
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

it("takes up what was begun since the page was opened, also when the first listing failed", async () => {
  const all = vi.fn<() => Promise<string[]>>().mockRejectedValueOnce(new Error("busy")).mockResolvedValue(["a"]);
  const here = shelfOf(all);
  await here.openAgain();
  expect([...here.spools.keys()]).toEqual(["a"]);
  // Another tab begins one, and closes without having sent it.
  others.add("b");
  all.mockResolvedValue(["a", "b"]);
  await here.openAgain();
  await here.openAgain();
  expect([[...here.spools.keys()], [...here.held]]).toEqual([["a"], ["b"]]);
  letGo("b");
  await vi.waitFor(() => expect([[...here.spools.keys()], [...here.held]]).toEqual([["a", "b"], []]));
  expect(await here.adopt(address("b"))).toBeNull();
});

it("says nothing more of what another tab has sent, until that begins again", async () => {
  others.add("b");
  const all = vi.fn(async () => ["b"]);
  const here = shelfOf(all);
  for (const [ids, held] of [[["b"], ["b"]], [[], []], [["b"], ["b"]]]) {
    all.mockResolvedValue(ids!);
    await here.openAgain();
    expect([...here.held]).toEqual(held);
  }
});

it("says nothing more of what could not be opened, and is gone", async () => {
  broken.add("a");
  const all = vi.fn(async () => ["a"]);
  const here = shelfOf(all);
  await vi.waitFor(() => expect([...here.unreadable]).toEqual(["a"]));
  all.mockResolvedValue([]);
  await here.openAgain();
  expect([...here.unreadable]).toEqual([]);
});

it("goes on with what it has when they cannot be listed", async () => {
  const all = vi.fn(async () => ["a"]);
  const here = shelfOf(all);
  await here.openAgain();
  all.mockRejectedValue(new Error("busy"));
  await here.openAgain();
  expect([...here.spools.keys()]).toEqual(["a"]);
});
