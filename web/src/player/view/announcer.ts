/**
 * Says to screen readers what has changed: once, politely, and never a time that counts.
 */
import { element } from "../../element";

/** What follows so soon is said instead, not after. */
const SETTLE_MS = 400;

export class Announcer {
  readonly root = element("div", { class: "hw-hidden", role: "status", "aria-live": "polite" });
  #timer: number | undefined;
  #said = "";

  say(text: string): void {
    if (text === this.#said) return;
    this.#said = text;
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => (this.root.textContent = text), SETTLE_MS);
  }

  destroy(): void {
    clearTimeout(this.#timer);
  }
}
