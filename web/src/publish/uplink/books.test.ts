/** The other books of the uplink: ledger, route, guide, link and offset, with the cases of their Rust originals. */
import { describe, expect, it } from "vitest";
import { Guide } from "./guide";
import { Ledger } from "./ledger";
import { Link } from "./link";
import { Offset } from "./offset";
import { Route } from "./route";
import { rangesOf, readRanges } from "./seqs";

function ledger(count: number): Ledger {
  const ledger = new Ledger();
  for (let seq = 0; seq < count; seq++) ledger.recorded({ seq, captured_ms: seq * 2_000, duration_ms: 2_000, bytes: 1_000 });
  return ledger;
}

const set = (...seqs: number[]) => rangesOf(seqs);

describe("ledger", () => {
  it("owes what is recorded until it is acknowledged", () => {
    const books = ledger(3);
    expect(books.owed()).toEqual({ segments: 3, duration_ms: 6_000, bytes: 3_000 });
    books.acknowledged(1, false);
    books.acknowledged(0, true);
    expect([books.with("owed"), books.deletable(), books.isSent(), books.isSettled()]).toEqual([[2], 0, false, false]);
    books.refused(2);
    expect([books.isSent(), books.isSettled()]).toEqual([true, false]);
    books.acknowledged(1, true);
    expect([books.isSettled(), books.next()]).toEqual([true, 3]);
  });

  it("owes again what was stored and is lost there", () => {
    const books = ledger(3);
    books.arrived({ stored: set(0, 1, 2), safe: set(0), told: set(0, 1, 2) });
    expect(books.with("owed")).toEqual([]);
    books.deleted(0);
    books.arrived({ stored: set(2), safe: set(2), told: set(2) });
    expect([books.with("owed"), books.deletable(), books.keptBytes()]).toEqual([[1], 2, 2_000]);
  });

  it("believes an acknowledgement by digest in a range that is not ours", () => {
    const books = ledger(3);
    books.acknowledged(0, false);
    books.arrived({ stored: [], safe: [], told: set(0, 1) });
    expect(books.with("owed")).toEqual([1, 2]);
  });

  it("takes nothing back that is deleted here", () => {
    const books = ledger(2);
    books.acknowledged(0, true);
    books.deleted(0);
    books.acknowledged(0, false);
    expect([books.get(0)?.standing, books.isSettled()]).toEqual(["deleted", false]);
    books.acknowledged(0, true);
    books.acknowledged(1, true);
    expect([books.deletable(), books.isSettled()]).toEqual([1, true]);
  });

  it("sends again only what is there and not safe", () => {
    const books = ledger(4);
    books.arrived({ stored: set(0, 1), safe: set(0), told: set(0, 1) });
    books.refused(3);
    for (let seq = 0; seq < 5; seq++) books.sendAgain(seq);
    expect(books.with("owed")).toEqual([1, 2]);
  });

  it("lets nothing be deleted that was not called safe by the last word on it", () => {
    // A small linear congruential generator: the same steps each time.
    let state = 0x5eed;
    const dice = (sides: number) => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) % sides;
    for (let round = 0; round < 200; round++) {
      const books = ledger(8);
      let safe = new Set<number>();
      for (let step = 0; step < 60; step++) {
        const seq = dice(8);
        const kind = dice(5);
        const without = () => new Set([...safe].filter((other) => other !== seq));
        if (kind === 0) {
          books.acknowledged(seq, true);
          safe = new Set([...safe, seq]);
        } else if (kind === 1) {
          books.acknowledged(seq, false);
          safe = without();
        } else if (kind === 2) {
          books.refused(seq);
          safe = without();
        } else if (kind === 3) {
          books.arrived({ stored: set(seq), safe: set(seq), told: set(seq) });
          safe = new Set(books.get(seq)?.standing === "refused" ? [] : [seq]);
        } else if (books.deletable() !== undefined) expect(safe).toContain(books.deletable());
      }
      expect(books.owed().duration_ms).toBe(books.with("owed").length * 2_000);
    }
  });
});

describe("route", () => {
  it("lets the next take over until the better one answers", () => {
    const route = new Route(["near", "far"]);
    expect([route.pick(0), route.probe(0)]).toEqual(["near", undefined]);
    route.failed("near", 0, null, 1);
    expect([route.pick(0), route.pick(9_999), route.probe(249), route.probe(250)]).toEqual(["far", "far", undefined, "near"]);
    route.failed("near", 250, null, 1);
    expect([route.probe(749), route.probe(750)]).toEqual([undefined, "near"]);
    route.answered("near");
    expect([route.pick(750), route.probe(750)]).toEqual(["near", undefined]);
  });

  it("gives time to who asks for it, and keeps what is known in another order", () => {
    const route = new Route(["near", "far"]);
    route.failed("far", 0, 30_000, 0.5);
    route.replace(["far", "new"]);
    expect([route.pick(0), route.probe(29_999), route.probe(30_000)]).toEqual(["new", undefined, "far"]);
    route.remove("new");
    expect([route.isCutOff(), route.pick(29_999), new Route().isCutOff()]).toEqual([true, undefined, true]);
    route.tryNow();
    expect(route.pick(0)).toBe("far");
  });
});

describe("guide", () => {
  it("asks at the start, when the answer is old, and when all fail", () => {
    const guide = new Guide(["to"]);
    expect(guide.due(0, true)).toBe("to");
    expect(guide.told({ recorders: ["a", "b"], ttl_ms: 30_000 }, 0, 0.5)).toEqual(["a", "b", "to"]);
    expect([guide.due(29_999, false), guide.due(30_000, false)]).toEqual([undefined, "to"]);
    expect([guide.due(3_999, true), guide.due(4_000, true)]).toEqual([undefined, "to"]);
  });

  it("uses the address given without a balancer, and asks the next when one does not answer", () => {
    const guide = new Guide(["to"]);
    expect(guide.told(null, 0, 0.5)).toEqual(["to"]);
    expect([guide.due(59_999, false), guide.due(60_000, false)]).toEqual([undefined, "to"]);
    const other = new Guide(["to"], ["a"]);
    const asked = [0, 10_000, 20_000].map((now_ms) => {
      const whom = other.due(now_ms, true);
      other.failed(now_ms);
      return whom;
    });
    expect(asked).toEqual(["to", "a", "to"]);
  });
});

describe("link", () => {
  const cases: [[number, number, number][], number | null][] = [
    [[], null],
    [[[0, 1000, 500]], 500],
    [[[0, 1000, 500], [60_000, 61_000, 500]], 500],
    [[[0, 1000, 500], [0, 1000, 500]], 1000],
    [[[500, 1500, 500], [0, 1000, 1000]], 1000],
  ];
  it.each(cases)("%j carry %j", (transfers, expected) => {
    const link = new Link();
    transfers.forEach(([from, to, bytes]) => link.carried(from, to, bytes));
    expect(link.bytesPerSecond()).toBe(expected);
  });

  it("knows the last moment too", () => {
    const link = new Link();
    for (let n = 0; n < 13; n++) link.carried(n * 1000, n * 1000 + 1000, 1_600);
    for (let n = 13; n < 16; n++) link.carried(n * 1000, n * 1000 + 1000, 160);
    expect([link.bytesPerSecond(), link.bytesPerSecondNow()]).toEqual([1_330, 160]);
  });
});

describe("offset", () => {
  const cases: [[number, number, number][], number | null][] = [
    [[], null],
    [[[1_000, 1_200, 5_100]], 4_000],
    [[[0, 3_000, 6_000], [10_000, 10_020, 15_010]], 4_500],
    [[[0, 20, 5_010], [10_000, 14_000, 17_500]], 5_000],
    [[[0, 20, 5_010], [10_000, 10_020, 20_010]], 10_000],
    [[[2_000, 1_000, 5_000]], null],
  ];
  it.each(cases)("after %j it is %j", (answers, expected) => {
    const offset = new Offset();
    answers.forEach(([sent, answered, theirs]) => offset.learn(sent, answered, theirs));
    expect(offset.get()).toBe(expected);
  });
});

describe("ranges", () => {
  it("are checked", () => {
    expect(readRanges([[0, 3], [5, 5]])).toEqual([[0, 3], [5, 5]]);
    for (const wrong of [[[3, 0]], [[0]], [[0, 2 ** 60]], [[-1, 2]], "x", null]) expect(readRanges(wrong)).toBeNull();
  });
});
