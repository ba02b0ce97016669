/**
 * The settings: quality, speed, and what came late.
 */
import { element } from "../../element";
import { clock } from "../../language";
import type { Playback } from "../playback";
import type { Stretch } from "../timeline";
import type { Words } from "../words";
import { reveal, wordButton } from "./parts";

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2] as const;
/** Stretches that are listed; the timeline shows them all. */
const LATE_MAX = 5;

export class Menu {
  readonly root: HTMLElement;
  readonly #quality: HTMLSelectElement;
  readonly #qualityRow: HTMLElement;
  readonly #speedRow: HTMLElement;
  readonly #speed: HTMLSelectElement;
  readonly #late = element("div", { class: "hw-late" });
  #qualities = "";
  #lateShown = "";

  constructor(
    private readonly playback: Playback,
    private readonly words: Words,
    private readonly signal: AbortSignal,
    private readonly close: () => void,
  ) {
    this.#quality = element("select");
    this.#speed = element("select");
    for (const speed of SPEEDS) this.#speed.append(new Option(speed === 1 ? words.normal : `${speed}×`, String(speed)));
    this.#qualityRow = element("label", { class: "hw-row" }, element("span", {}, words.quality), this.#quality);
    this.#speedRow = element("label", { class: "hw-row" }, element("span", {}, words.speed), this.#speed);
    this.root = element("div", { class: "hw-menu", role: "group", "aria-label": words.settings, hidden: true });
    this.root.append(this.#qualityRow, this.#speedRow, this.#late);
    this.#quality.addEventListener("change", () => {
      playback.choose(this.#quality.value === "" ? null : Number(this.#quality.value));
    }, { signal });
    this.#speed.addEventListener("change", () => playback.setSpeed(Number(this.#speed.value)), { signal });
  }

  get isOpen(): boolean {
    return !this.root.hidden;
  }

  toggle(isOpen: boolean): void {
    reveal(this.root, isOpen);
    if (isOpen) this.root.querySelector<HTMLElement>("label:not([hidden]) select")?.focus();
  }

  show(late: readonly Stretch[]): void {
    if (!this.isOpen) return;
    this.#showQualities();
    reveal(this.#speedRow, !this.playback.staysAtLive);
    this.#speed.value = String(this.playback.speed);
    this.#showLate(late.slice(-LATE_MAX));
  }

  #showQualities(): void {
    const { engine } = this.playback;
    const qualities = engine?.qualities ?? [];
    reveal(this.#qualityRow, qualities.length > 1);
    const known = JSON.stringify(qualities);
    if (known !== this.#qualities) {
      this.#qualities = known;
      const name = (height: number, bits_per_s: number) => {
        const rate = `${(bits_per_s / 1e6).toFixed(1)} Mbit/s`;
        return height > 0 ? `${height}p · ${rate}` : rate;
      };
      const options = qualities.map(({ id, height, bits_per_s }) => new Option(name(height, bits_per_s), String(id)));
      this.#quality.replaceChildren(new Option(this.words.automatic, ""), ...options);
    }
    const value = engine?.quality == null ? "" : String(engine.quality);
    if (document.activeElement !== this.#quality) this.#quality.value = value;
  }

  #showLate(late: readonly Stretch[]): void {
    const known = late.map(({ catchupFrom }) => catchupFrom).join();
    if (known === this.#lateShown) return;
    this.#lateShown = known;
    const buttons = late.map(({ catchupFrom, from_s, to_s }) => {
      const label = `${this.words.watchLate}: ${clock(from_s)} (${clock(to_s - from_s)})`;
      return wordButton(label, "quiet", () => {
        this.close();
        if (catchupFrom !== null) this.playback.watchLate(catchupFrom);
      }, this.signal);
    });
    this.#late.replaceChildren(...buttons);
  }
}
