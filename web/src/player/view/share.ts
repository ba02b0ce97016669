/**
 * Sharing a moment: the phone's own dialog, else the clipboard, else a field to copy from.
 */
import { element } from "../../element";
import type { Words } from "../words";
import { put, reveal } from "./parts";

const TOAST_MS = 4_000;

export class Share {
  readonly root = element("div", { class: "hw-share", hidden: true });
  readonly #text = element("p");
  readonly #field: HTMLInputElement;
  #timer: number | undefined;

  constructor(
    private readonly words: Words,
    private readonly say: (text: string) => void,
    signal: AbortSignal,
  ) {
    this.#field = element("input", { type: "text", readonly: true, "aria-label": words.share, hidden: true });
    this.root.append(this.#text, this.#field);
    this.#field.addEventListener("blur", () => reveal(this.root, false), { signal });
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  async share(link: string): Promise<void> {
    const isTouch = matchMedia("(pointer: coarse)").matches;
    if (isTouch && "share" in navigator && (await hasShared(link))) return;
    try {
      await navigator.clipboard.writeText(link);
      this.#toast(this.words.shareCopied);
    } catch {
      this.#offer(link);
    }
  }

  #toast(text: string): void {
    put(this.#text, text);
    reveal(this.#field, false);
    reveal(this.root, true);
    this.say(text);
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => reveal(this.root, false), TOAST_MS);
  }

  /** The browser does not let us at the clipboard: in a frame it needs leave. */
  #offer(link: string): void {
    clearTimeout(this.#timer);
    put(this.#text, this.words.shareManually);
    this.#field.value = link;
    reveal(this.#field, true);
    reveal(this.root, true);
    this.#field.focus();
    this.#field.select();
  }
}

/** Whether the dialog was there. In a frame of another site it needs leave. */
async function hasShared(link: string): Promise<boolean> {
  try {
    await navigator.share({ url: link });
    return true;
  } catch (error) {
    // A viewer who changes their mind is no error.
    return error instanceof DOMException && error.name === "AbortError";
  }
}
