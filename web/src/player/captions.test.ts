import { expect, test } from "vitest";
import { Captions } from "./captions";

/** As much of a video's tracks as is used here. */
class FakeTracks extends EventTarget {
  list: { kind: string; mode: string }[] = [];

  *[Symbol.iterator]() {
    yield* this.list;
  }

  /** Those of another source, as it adds them. */
  replace(...kinds: string[]): void {
    this.list = [];
    for (const kind of kinds) {
      this.list.push({ kind, mode: "hidden" });
      this.dispatchEvent(new Event("addtrack"));
    }
  }

  get modes(): string[] {
    return this.list.map(({ mode }) => mode);
  }
}

test("what was chosen counts for the next source, too", () => {
  const tracks = new FakeTracks();
  const listening = new AbortController();
  const captions = new Captions({ textTracks: tracks as unknown as TextTrackList }, listening.signal);
  tracks.replace("metadata", "captions", "captions");
  expect([captions.areThere, captions.areShown]).toEqual([true, false]);
  captions.toggle();
  expect([captions.areShown, tracks.modes]).toEqual([true, ["hidden", "showing", "hidden"]]);
  tracks.replace("captions");
  expect(tracks.modes).toEqual(["showing"]);
  tracks.replace();
  expect([captions.areThere, captions.areShown]).toEqual([false, false]);
  tracks.replace("subtitles", "captions");
  expect(tracks.modes).toEqual(["showing", "hidden"]);
  captions.toggle();
  tracks.replace("captions");
  expect(tracks.modes).toEqual(["hidden"]);
  listening.abort();
  captions.toggle();
  tracks.replace("captions");
  expect(tracks.modes).toEqual(["hidden"]);
});
