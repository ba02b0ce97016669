/**
 * The form that makes a broadcast. Its page says how to publish to it.
 */
import { element } from "../element";
import { load } from "../owner-key";
import { type OwnerWords, said } from "../owner/words";
import { ApiFailure, createBroadcast } from "../transport";

export class CreateView {
  readonly #title = element("input", { id: "title", name: "title", required: true, maxlength: "200", autocomplete: "off" });
  readonly #button: HTMLButtonElement;
  readonly #said = element("p", { role: "status", class: "said" });

  /** `refused` is called when the server wants another owner key. */
  constructor(
    root: HTMLElement,
    private readonly words: OwnerWords,
    private readonly refused: () => void,
  ) {
    this.#button = element("button", { type: "submit" }, words.createButton);
    const field = element("div", { class: "field" }, element("label", { for: "title" }, words.title), this.#title);
    const form = element("form", { class: "card" }, field, this.#button, this.#said);
    form.addEventListener("submit", (event) => void this.#submit(event));
    root.replaceChildren(form);
  }

  async #submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    this.#button.disabled = true;
    this.#said.textContent = "";
    try {
      const { id } = await createBroadcast(this.#title.value.trim(), load());
      location.assign(`/broadcasts/${encodeURIComponent(id)}`);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.kind === "refused") this.refused();
      else this.#said.textContent = this.words.notCreated(said(this.words, error));
    } finally {
      this.#button.disabled = false;
    }
  }
}
