import { expect, test } from "vitest";
import { PictureWatch } from "./picture";

test("a picture that goes on plays; one that jumps does not yet", () => {
  const video = { currentTime: 5, ended: false, readyState: 4, HAVE_CURRENT_DATA: 2 };
  const watch = new PictureWatch(video as HTMLVideoElement);
  const look = (currentTime: number) => {
    video.currentTime = currentTime;
    watch.look(0, true);
    return watch.run_s;
  };
  expect([5, 5.25, 5.75, 5.75, 6.25].map(look)).toEqual([0, 0.25, 0.75, 0.75, 1.25]);
  expect([40, 40.5, 0, 0.25].map(look)).toEqual([0, 0.5, 0, 0.25]);
  watch.reset();
  expect(watch.run_s).toBe(0);
  expect([0, 0.5].map(look)).toEqual([0, 0.5]);
});

test("what lies ready, and how far it is to it", () => {
  const ranges = [[1, 3], [5, 8]] as const;
  const buffered = { length: 2, start: (index: number) => ranges[index]![0], end: (index: number) => ranges[index]![1] };
  const at = (currentTime: number) => {
    const watch = new PictureWatch({ buffered, currentTime } as unknown as HTMLVideoElement);
    return [watch.ready_s(), watch.ahead_s()];
  };
  expect([0, 2, 4.5, 4.9375, 6].map(at)).toEqual([[0, 1], [1, 3], [0, 0.5], [0, 0.0625], [2, null]]);
});
