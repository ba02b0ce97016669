/**
 * The keyboard shortcuts, in a dialog.
 */
import { element } from "../../element";
import type { Words } from "../words";
import { IconButton } from "./parts";

export class Help {
  readonly root: HTMLDialogElement;

  constructor(words: Words, signal: AbortSignal) {
    const { keys } = words;
    const rows: [string[], string][] = [
      [[keys.space, "K"], keys.togglePlay],
      [["←", "→"], keys.skip],
      [["L"], keys.live],
      [["0", "…", "9"], keys.part],
      [["↑", "↓"], keys.volume],
      [["M"], keys.mute],
      [["C"], keys.captions],
      [["F"], keys.fullscreen],
      [["P"], keys.pictureInPicture],
      [["<", ">"], keys.speed],
      [["?"], keys.help],
    ];
    const list = element("dl", { class: "hw-keys" });
    for (const [names, what] of rows) {
      const caps = names.map((name) => element("kbd", {}, name));
      list.append(element("div", {}, element("dt", {}, ...caps), element("dd", {}, what)));
    }
    const close = new IconButton("close", words.close, () => this.root.close(), signal);
    const head = element("div", { class: "hw-head" }, element("h2", {}, words.help), close.root);
    this.root = element("dialog", { class: "hw-help", "aria-label": words.help }, head, list);
    // A press beside the dialog closes it.
    this.root.addEventListener("click", (event) => event.target === this.root && this.root.close(), { signal });
  }

  toggle(): void {
    if (this.root.open) this.root.close();
    else this.root.showModal();
  }
}
