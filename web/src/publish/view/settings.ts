/**
 * The sheet in which a camera, a microphone and a picture size are chosen.
 */
import { element } from "../../element";
import { devices, QUALITIES, type Quality } from "../devices";
import type { Session } from "../session";
import type { Words } from "../words";
import { icon } from "./icons";

export class SettingsSheet {
  readonly #camera = element("select", { id: "camera" });
  readonly #microphone = element("select", { id: "microphone" });
  readonly #quality = element("select", { id: "quality" });
  readonly root: HTMLDialogElement;

  constructor(private readonly words: Words) {
    const close = element("button", { type: "button", class: "round plain", "aria-label": words.close }, icon("close"));
    const field = (label: string, select: HTMLSelectElement) =>
      element("div", { class: "field" }, element("label", { for: select.id }, label), select);
    this.root = element(
      "dialog",
      { class: "sheet", "aria-labelledby": "settings-heading" },
      element("header", {}, element("h2", { id: "settings-heading" }, words.settings), close),
      field(words.camera, this.#camera),
      field(words.microphone, this.#microphone),
      field(words.quality, this.#quality),
      element("p", { class: "hint" }, words.qualityNote),
    );
    close.addEventListener("click", () => this.root.close());
    this.root.addEventListener("click", (event) => event.target === this.root && this.root.close());
    const sizes = Object.keys(QUALITIES) as Quality[];
    this.#quality.append(...sizes.map((quality) => element("option", { value: quality }, `${quality}p`)));
  }

  connect(session: Session): void {
    this.#camera.addEventListener("change", () => void session.choose({ camera: this.#camera.value }));
    this.#microphone.addEventListener("change", () => void session.choose({ microphone: this.#microphone.value }));
    this.#quality.addEventListener("change", () => void session.choose({ quality: this.#quality.value as Quality }));
  }

  async open(session: Session): Promise<void> {
    const { words } = this;
    const { camera, microphone } = session.open;
    fill(this.#camera, await devices("videoinput"), camera, words.camera, words);
    fill(this.#microphone, await devices("audioinput"), microphone, words.microphone, words);
    // While there is none, any is another one, also the only one.
    if (microphone === undefined && !this.#microphone.disabled) this.#microphone.prepend(noneOf(words));
    this.#quality.value = session.choice.quality;
    this.root.showModal();
  }
}

function noneOf(words: Words): HTMLOptionElement {
  return element("option", { value: "", selected: true }, words.noMicrophone);
}

function fill(select: HTMLSelectElement, found: MediaDeviceInfo[], chosen: string | undefined, kind: string, words: Words): void {
  const options = found.map(({ deviceId, label }, index) =>
    element("option", { value: deviceId }, label || words.unnamed(kind, index + 1)),
  );
  if (options.length === 0) options.push(noneOf(words));
  select.replaceChildren(...options);
  select.disabled = found.length === 0;
  if (chosen !== undefined) select.value = chosen;
}
