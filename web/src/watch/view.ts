/**
 * The watch page's elements: the picture, the line under it, and the buttons that appear when they are of use.
 */
import type { State } from "../broadcast";
import { element } from "../element";
import type { Standing, Words } from "./standing";

/** From here on it is worth a press to be live again. */
const BEHIND_S = 10;

/** What the viewer can ask for. */
export interface Wishes {
  jumpToLive(): void;
  watchRecording(): void;
}

export class WatchView {
  readonly video = element("video", { controls: true, autoplay: true, playsinline: true });
  /** Stands where the picture will be; says the same as the line under it. */
  readonly #cover = element("p", { class: "cover", "aria-hidden": "true" });
  readonly #unmute = element("button", { type: "button", class: "over", hidden: true }, "Unmute");
  readonly #title = element("h1", {}, "…");
  readonly #line = element("p", { class: "state-line", role: "status" });
  readonly #before = element("span");
  readonly #timer = element("span", { "aria-hidden": "true" });
  readonly #after = element("span");
  readonly #toLive = element("button", { type: "button", hidden: true }, "Jump to live");
  readonly #recording = element("button", { type: "button", hidden: true }, "Watch the recording");
  readonly #listening = new AbortController();

  constructor(root: HTMLElement, wishes: Wishes) {
    this.video.muted = true;
    this.#line.append(this.#before, this.#timer, this.#after);
    const picture = element("div", { class: "picture" }, this.video, this.#cover, this.#unmute);
    const buttons = element("div", { class: "buttons" }, this.#toLive, this.#recording);
    root.replaceChildren(picture, element("div", { class: "under" }, this.#title, this.#line, buttons));
    this.#listen(wishes);
  }

  destroy(): void {
    this.#listening.abort();
  }

  show(standing: Standing, { before, timer, after }: Words): void {
    const known = standing.kind === "out-of-touch" ? standing.before : standing;
    if (known?.kind === "known") this.#showKnown(known.title, known.state);
    if (standing.kind === "no-such-broadcast") put(this.#title, "Not found");
    put(this.#before, before);
    put(this.#timer, timer);
    put(this.#after, after);
    this.#showCover(known?.kind !== "known" || known.state === "created", before);
  }

  /** `behind_s` is null when what plays is not live; `recordingWaits` when the page still plays what was live. */
  showPlayback(behind_s: number | null, recordingWaits: boolean): void {
    this.#toLive.hidden = behind_s === null || behind_s <= BEHIND_S;
    this.#recording.hidden = !recordingWaits;
    const picture = !this.video.hidden && this.video.readyState >= this.video.HAVE_CURRENT_DATA;
    this.#unmute.hidden = !this.video.muted || !picture;
  }

  #showKnown(title: string, state: State): void {
    put(this.#title, title || "Untitled");
    this.#line.dataset["state"] = state;
    document.title = `${title || "Untitled"} · Headwater`;
  }

  #showCover(covered: boolean, words: string): void {
    this.#cover.hidden = !covered;
    this.video.hidden = covered;
    this.#line.classList.toggle("visually-hidden", covered);
    put(this.#cover, words);
  }

  #listen(wishes: Wishes): void {
    const { signal } = this.#listening;
    this.#toLive.addEventListener("click", () => wishes.jumpToLive(), { signal });
    this.#recording.addEventListener("click", () => wishes.watchRecording(), { signal });
    this.#unmute.addEventListener("click", () => (this.video.muted = false), { signal });
    this.video.addEventListener("volumechange", () => (this.#unmute.hidden = !this.video.muted), { signal });
  }
}

/** Changes a text only if it differs, so that nothing is read aloud twice. */
function put(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
