/**
 * A line of text with a button that copies it.
 */
import { element } from "../element";
import type { OwnerWords } from "./words";

const SAID_FOR_MS = 2_000;

/** `name` says what it is: "ffmpeg line", "watch address". */
export function copyable(words: OwnerWords, name: string, text: string): HTMLElement {
  const code = element("code", {}, ...text.split(/(\s+)/).map(word));
  const button = copyButton(words, name, () => text, { shown: code });
  return element("div", { class: "copyable" }, element("pre", { tabindex: "0", dir: "ltr" }, code), button);
}

interface Labelled {
  /** What stands on the button, if not "Copy". */
  label?: string;
  /** What is selected where nothing can be copied. If the text stands nowhere, it is shown then. */
  shown?: HTMLElement;
}

/** A button that copies what `text` gives, and says so in its own words. */
export function copyButton(words: OwnerWords, name: string, text: () => string, labelled: Labelled): HTMLElement {
  const { label: usual = words.copy, shown } = labelled;
  const label = element("span", {}, usual);
  const said = element("span", { role: "status", class: "visually-hidden" });
  const button = element("button", { type: "button", class: "quiet", "aria-label": words.copyName(name) }, label);
  const root = element("span", { class: "copy" }, button, said);
  button.addEventListener("click", async () => {
    const done = await copied(text());
    if (!done) getSelection()?.selectAllChildren(shown ?? showIn(root, text()));
    label.textContent = done ? words.copied : words.pressKeys;
    said.textContent = done ? words.copiedName(name) : words.selectedName(name);
    // What stands on it is its name meanwhile.
    button.removeAttribute("aria-label");
    setTimeout(() => {
      label.textContent = usual;
      button.setAttribute("aria-label", words.copyName(name));
    }, SAID_FOR_MS);
  });
  return root;
}

function word(text: string): Node | string {
  return text.trim() === "" ? text : element("span", { class: "word" }, text);
}

/** The text, to be copied by hand. */
function showIn(root: HTMLElement, text: string): HTMLElement {
  const shown = root.querySelector("code") ?? element("code", { class: "by-hand" });
  shown.replaceChildren(text);
  root.append(shown);
  return shown;
}

/** The clipboard is there only on https and on this machine; elsewhere the text is selected instead. */
async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
