import { expect, test } from "vitest";
import { mostLike } from "./quality";

test("the quality that is most like the one that was chosen is taken", () => {
  const list = (...made: [number, number][]) => made.map(([height, bits_per_s], id) => ({ id, height, bits_per_s }));
  const cases: [wanted: [number, number], list: [number, number][], expected: number | null][] = [
    [[720, 2e6], [[360, 1e6], [720, 2e6]], 1],
    // The same in another order, or with another bit rate.
    [[720, 2e6], [[720, 3e6], [360, 2e6]], 0],
    [[720, 2e6], [[720, 5e6], [720, 2.1e6], [1080, 2e6]], 1],
    // That one is not there.
    [[720, 2e6], [[1080, 4e6], [480, 1e6]], 1],
    // Without a picture, the bit rate says it.
    [[0, 96e3], [[0, 32e3], [0, 128e3]], 1],
    [[720, 2e6], [], null],
  ];
  for (const [[height, bits_per_s], made, expected] of cases) {
    expect(mostLike({ height, bits_per_s }, list(...made))?.id ?? null, `${height}`).toBe(expected);
  }
});
