/**
 * The newest picture of a broadcast, which follows it while it moves.
 */
import { element } from "../element";

export class Still {
  readonly #picture = element("img", { alt: "", hidden: true, decoding: "async" });
  readonly #instead = element("span", { class: "instead" });
  readonly element = element("div", { class: "still" }, this.#instead, this.#picture);
  #asking = false;

  /** `alt` is empty where the title stands beside it. */
  constructor(
    private readonly id: string,
    private readonly width: 320 | 640,
    { alt, instead }: { alt: string; instead: string },
  ) {
    this.#picture.alt = alt;
    this.#instead.textContent = instead;
  }

  /** Asks for the newest one. What is shown stays until that is there. */
  refresh(): void {
    if (this.#asking) return;
    this.#asking = true;
    const next = new Image();
    next.addEventListener("load", () => {
      this.#asking = false;
      this.#picture.src = next.src;
      this.#picture.hidden = false;
      this.#instead.hidden = true;
    });
    next.addEventListener("error", () => (this.#asking = false));
    // Its address is the same for ever, and browsers keep what they have under one.
    next.src = `/hls/${encodeURIComponent(this.id)}/poster.jpg?width=${this.width}&at=${Date.now()}`;
  }
}
