/**
 * Asks for the owner key. Hidden until the server wants it.
 */
import { element } from "../element";
import { load, store } from "../owner-key";
import type { OwnerWords } from "./words";

export class KeyForm {
  readonly #said = element("p", { role: "status", class: "said" });
  readonly #key = element("input", { id: "owner-key", type: "password", autocomplete: "current-password", required: true });
  readonly element: HTMLFormElement;

  /** `entered` is called when another key was entered. */
  constructor(
    private readonly words: OwnerWords,
    entered: () => void,
  ) {
    const field = element(
      "div",
      { class: "field" },
      element("label", { for: "owner-key" }, words.ownerKey),
      this.#key,
      element("p", { class: "hint" }, words.ownerKeyHint),
    );
    const button = element("button", { type: "submit" }, words.ownerKeyButton);
    this.element = element("form", { class: "card key-form", hidden: true }, this.#said, field, button);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      // So that a second wrong one is told of as well.
      this.#said.textContent = "";
      store(this.#key.value.trim());
      entered();
    });
  }

  /** The server did not take the key that is kept, if there is one. */
  ask(): void {
    const text = load() === null ? this.words.ownerKeyAsked : this.words.ownerKeyWrong;
    // What was said once is not said again at each look.
    if (this.#said.textContent !== text) this.#said.textContent = text;
    this.element.hidden = false;
  }

  /** It was taken. */
  done(): void {
    this.element.hidden = true;
    this.#said.textContent = "";
  }
}
