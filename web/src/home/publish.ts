/**
 * The form that makes a broadcast, and how to publish to the one it made.
 */
import { renderSVG } from "uqr";
import { element } from "../element";
import { load, store } from "../owner-key";
import { ApiFailure, type Created, createBroadcast } from "../transport";
import { copyable } from "./copyable";
import { camera, isLoopback, obsService, testPicture } from "./recipes";

export class PublishView {
  readonly #title = element("input", { id: "title", name: "title", required: true, maxlength: "200", autocomplete: "off" });
  readonly #key = element("input", { id: "owner-key", type: "password", autocomplete: "current-password" });
  readonly #keyField = element(
    "div",
    { class: "field", hidden: true },
    element("label", { for: "owner-key" }, "Owner key"),
    this.#key,
    element(
      "p",
      { class: "hint" },
      "Headwater printed it when it started first; it is also in its data folder, in the file ",
      element("code", { class: "word" }, "owner-key"),
      ".",
    ),
  );
  readonly #button = element("button", { type: "submit" }, "Create broadcast");
  readonly #said = element("p", { role: "status", class: "said" });
  readonly #result = element("div");
  readonly #listening = new AbortController();

  /** `changed` is called after each broadcast that was made, and when the owner key was entered. */
  constructor(
    root: HTMLElement,
    private readonly changed: () => void,
  ) {
    const titleField = element("div", { class: "field" }, element("label", { for: "title" }, "Title"), this.#title);
    const form = element("form", { class: "card" }, titleField, this.#keyField, this.#button, this.#said);
    const { signal } = this.#listening;
    form.addEventListener("submit", (event) => void this.#submit(event), { signal });
    this.#key.addEventListener("change", () => this.#keepKey(), { signal });
    root.replaceChildren(form, this.#result);
  }

  destroy(): void {
    this.#listening.abort();
  }

  /** Shows the field for the owner key, because the server wants one. */
  askForKey(): void {
    this.#keyField.hidden = false;
  }

  #keepKey(): void {
    const key = this.#key.value.trim();
    if (key === "" || key === load()) return;
    store(key);
    this.changed();
  }

  async #submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    this.#keepKey();
    const title = this.#title.value.trim();
    this.#button.disabled = true;
    this.#said.textContent = "";
    try {
      this.#show(await createBroadcast(title, load()));
      this.#title.value = "";
      this.#keyField.hidden = true;
      this.changed();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#button.disabled = false;
    }
  }

  #fail(error: unknown): void {
    if (!(error instanceof ApiFailure)) throw error;
    if (error.kind !== "refused") {
      this.#said.textContent = `${error.message} The broadcast was not created.`;
      return;
    }
    const wrong = this.#key.value !== "" || load() !== null;
    this.#said.textContent = wrong ? "This is not the owner key of this server." : "This server asks for its owner key.";
    this.askForKey();
    this.#key.focus();
  }

  #show(created: Created): void {
    const panel = element(
      "article",
      { class: "card created", tabindex: "-1", "aria-labelledby": "created-heading" },
      element("h3", { id: "created-heading" }, `“${created.title}” is ready`),
      watchPart(created),
      element("p", {}, "To go live, start one of these. The address is the permission to publish: keep it to yourself."),
      element("h4", {}, "A test picture, with ffmpeg"),
      copyable("ffmpeg line for a test picture", testPicture(created)),
      element(
        "details",
        {},
        element("summary", {}, "A camera, with ffmpeg on Linux"),
        copyable("ffmpeg line for a camera", camera(created)),
      ),
      obsPart(created),
    );
    this.#result.replaceChildren(panel);
    panel.focus();
  }
}

function watchPart(created: Created): HTMLElement {
  const address = new URL(created.watch.page_url, location.href).href;
  const here = isLoopback(address);
  const hint = here
    ? "This address works on this machine only. For a phone, start Headwater with LISTEN=0.0.0.0:8080 and open this page by the machine's own address."
    : "Scan the code with a phone, or send the address to your viewers.";
  return element(
    "div",
    { class: "watch-part" },
    element(
      "div",
      {},
      element("h4", {}, "Watch"),
      element("p", {}, element("a", { href: address }, "Open the watch page")),
      copyable("watch address", address),
      element("p", { class: "hint" }, hint),
    ),
    qrCode(address),
  );
}

function qrCode(address: string): HTMLElement {
  const svg = new DOMParser().parseFromString(renderSVG(address, { border: 2 }), "image/svg+xml").documentElement;
  const frame = element("div", { class: "qr", role: "img", "aria-label": "QR code of the watch address" });
  frame.append(document.importNode(svg, true));
  return frame;
}

function obsPart(created: Created): HTMLElement {
  return element(
    "details",
    {},
    element("summary", {}, "OBS Studio"),
    element(
      "ol",
      {},
      element("li", {}, "In Settings > Stream choose the service “YouTube - HLS”, with any stream key, and press OK."),
      element("li", {}, "In Settings > Output set the keyframe interval to 2 s."),
      element("li", {}, "Choose File > Show Profile Folder, then quit OBS."),
      element("li", {}, "Replace service.json in that folder by the text below: server and stream key of this broadcast."),
      element("li", {}, "Start OBS, and press Start Streaming."),
    ),
    copyable("OBS service.json", obsService(created)),
  );
}
