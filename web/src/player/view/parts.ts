/**
 * Small parts that the player's view is made of.
 */
import { element } from "../../element";
import { type IconName, icon } from "./icons";

/** A button with a pictogram, whose name and picture can change. */
export class IconButton {
  readonly root = element("button", { type: "button", class: "hw-button" });
  #icon: IconName | null = null;

  constructor(name: IconName, label: string, press: () => void, signal: AbortSignal) {
    this.root.addEventListener("click", press, { signal });
    this.show(name, label);
  }

  show(name: IconName, label: string): void {
    if (this.#icon !== name) {
      this.#icon = name;
      this.root.replaceChildren(icon(name));
    }
    setName(this.root, label);
  }
}

/** A button with words. */
export function wordButton(label: string, kind: "main" | "quiet", press: () => void, signal: AbortSignal): HTMLButtonElement {
  const button = element("button", { type: "button", class: `hw-word hw-${kind}` }, label);
  button.addEventListener("click", press, { signal });
  return button;
}

/** Names a button, for those who hear it and those who point at it. */
function setName(button: HTMLElement, label: string): void {
  if (button.getAttribute("aria-label") === label) return;
  button.setAttribute("aria-label", label);
  button.title = label;
}

/** Changes a text only if it differs. */
export function put(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows or hides. */
export function reveal(node: HTMLElement, isShown: boolean): void {
  if (node.hidden === isShown) node.hidden = !isShown;
}
