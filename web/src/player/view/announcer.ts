/**
 * Says to screen readers what has changed: once, politely, and never a time that counts.
 */
import { element } from "../../element";

/** What follows so soon is said together. */
const SETTLE_MS = 400;

export class Announcer {
  readonly root = element("div", { class: "hw-hidden", role: "status", "aria-live": "polite" });
  #timer: number | undefined;
  #waiting: string[] = [];

  /** What comes before the last was said is said with it. */
  say(sentences: readonly string[]): void {
    if (sentences.length === 0) return;
    this.#waiting.push(...sentences);
    // The same words again are news only if they were gone.
    this.root.textContent = "";
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      this.root.textContent = this.#waiting.join(" ");
      this.#waiting = [];
    }, SETTLE_MS);
  }

  destroy(): void {
    clearTimeout(this.#timer);
  }
}
