/**
 * A line of text with a button that copies it.
 */
import { element } from "../element";

const SAID_FOR_MS = 2_000;

/** `label` says what it is: "ffmpeg line", "watch address". */
export function copyable(label: string, text: string): HTMLElement {
  const code = element("code", {}, ...text.split(/(\s+)/).map(word));
  const button = element("button", { type: "button", class: "quiet", "aria-label": `Copy the ${label}` }, "Copy");
  const said = element("span", { role: "status", class: "visually-hidden" });
  button.addEventListener("click", async () => {
    const done = await copy(text, code);
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    said.textContent = done ? `The ${label} is copied.` : `The ${label} is selected: press Ctrl+C.`;
    setTimeout(() => (button.textContent = "Copy"), SAID_FOR_MS);
  });
  return element("div", { class: "copyable" }, element("pre", { tabindex: "0" }, code), button, said);
}

function word(text: string): Node | string {
  return text.trim() === "" ? text : element("span", { class: "word" }, text);
}

/** The clipboard is there only on https and on this machine; elsewhere the text is selected instead. */
async function copy(text: string, shown: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection()?.selectAllChildren(shown);
    return false;
  }
}
