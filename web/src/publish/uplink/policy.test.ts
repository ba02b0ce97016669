/** The table that the publisher library's policy is held against too. */
import { describe, expect, it } from "vitest";
import table from "../../../../publisher/src/policy/cases.json";
import { Ledger } from "./ledger";
import { type Class, type InFlight, plan } from "./policy";
import { Route } from "./route";

type Upload = [Class, string, number[]];

interface Case {
  name: string;
  owed: number;
  duration_ms?: number;
  acknowledged?: number[];
  now_ms?: number;
  in_flight?: [...Upload, number][];
  unsure?: number[];
  recorders?: string[];
  failed?: [string, number][];
  answered?: string[];
  bytes_per_s?: number;
  expected: Upload[];
}

const MEMBERS = "name owed duration_ms acknowledged now_ms in_flight unsure recorders failed answered bytes_per_s expected".split(" ");

describe("the policy decides as the table says", () => {
  const cases = table.cases as unknown as Case[];
  expect(cases.length).toBeGreaterThanOrEqual(20);
  it.each(cases)("$name", (given) => {
    expect(MEMBERS).toEqual(expect.arrayContaining(Object.keys(given)));
    const ledger = new Ledger();
    const duration_ms = given.duration_ms ?? 2_000;
    for (let seq = 0; seq < given.owed; seq++) {
      ledger.recorded({ seq, captured_ms: seq * duration_ms, duration_ms, bytes: 1_000 });
    }
    given.acknowledged?.forEach((seq) => ledger.acknowledged(seq, false));
    const route = new Route(given.recorders ?? ["near", "far"]);
    given.failed?.forEach(([recorder, at_ms]) => route.failed(recorder, at_ms, null, 1));
    given.answered?.forEach((recorder) => route.answered(recorder));
    const upload = ([kind, recorder, seqs, moved_ms]: [...Upload, number]): InFlight => ({ class: kind, recorder, seqs, moved_ms });
    const starts = plan({
      now: given.owed * duration_ms,
      now_ms: given.now_ms ?? 0,
      ledger,
      inFlight: (given.in_flight ?? []).map(upload),
      unsure: new Set(given.unsure),
      route,
      bytesPerSecond: given.bytes_per_s ?? null,
    });
    expect(starts.map((start) => [start.class, start.recorder, start.seqs])).toEqual(given.expected);
  });
});
