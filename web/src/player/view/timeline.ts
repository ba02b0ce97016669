/**
 * The timeline: a slider over stretches of what is there, what is missing, and what came late.
 *
 * Time runs from left to right in every language, as on every player.
 */
import { element } from "../../element";
import { type Language, clock } from "../../language";
import type { Playback } from "../playback";
import { type Reading, length_s } from "../reading";
import { liveEdge_s } from "../rejoin";
import { type Stretch, entryAt, mediaFrom, momentOf, stretches } from "../timeline";
import type { Words } from "../words";
import { put, reveal } from "./parts";

/** Width of a preview picture, in pixels; one of those that the server makes. */
const STILL_WIDTH = 160;
/** The pointer rests this long before a picture is asked for. */
const STILL_REST_MS = 120;
/** When so many were not to be had, there are none. */
const STILL_FAILURES_MAX = 2;
/** A part narrower than this, of the whole, is drawn as wide as this so that it can be seen. */
const STRETCH_MIN = 0.003;

/** How often the position is spoken anew to whoever rests on the slider. Any sooner, and it interrupts all else. */
const SPOKEN_MS = 30_000;

export class TimelineView {
  readonly root = element("div", { class: "hw-timeline", dir: "ltr", hidden: true });
  readonly input: HTMLInputElement;
  readonly #track = element("div", { class: "hw-track" });
  readonly #played = element("div", { class: "hw-played" });
  readonly #tip = element("div", { class: "hw-tip", "aria-hidden": "true", hidden: true });
  readonly #still = element("img", { alt: "", hidden: true });
  readonly #tipText = element("span");
  #drawn: Reading | null = null;
  #stretches: Stretch[] = [];
  #most_s = 0;
  #isDragging = false;
  #spoken_ms = -Infinity;
  #stillTimer: number | undefined;
  #stillFailures = 0;

  constructor(
    private readonly playback: Playback,
    private readonly words: Words,
    private readonly language: Language,
    signal: AbortSignal,
  ) {
    this.input = element("input", { type: "range", class: "hw-slider", min: "0", step: "any", "aria-label": words.timeline });
    this.#tip.append(this.#still, this.#tipText);
    this.root.append(this.#track, this.#played, this.input, this.#tip);
    this.#listen(signal);
  }

  /** Whether somebody holds the slider, and has not let go of it. */
  get isDragging(): boolean {
    return this.#isDragging;
  }

  /** Stretches that came late, oldest first. */
  get late(): Stretch[] {
    return this.playback.staysAtLive ? [] : this.#stretches.filter(({ kind }) => kind === "late");
  }

  show(): void {
    const { playback } = this;
    const reading = playback.feed?.playing ?? null;
    const source = playback.feed?.source.kind;
    const total_s = reading ? length_s(reading) : 0;
    const hasPast = !playback.staysAtLive && source !== "live" && (source !== "other" || reading?.type !== "live");
    reveal(this.root, reading !== null && hasPast && total_s > 0);
    if (!reading) return;
    if (reading !== this.#drawn) this.#draw(reading, total_s);
    this.#most_s = playback.isLive ? Math.max(0.1, liveEdge_s(reading)) : total_s;
    const position_s = Math.min(playback.position_s, total_s);
    if (!this.#isDragging) this.#put(position_s, total_s);
  }

  #put(position_s: number, total_s: number): void {
    this.input.max = String(total_s);
    this.input.value = String(position_s);
    this.#played.style.width = `${(100 * position_s) / total_s}%`;
    const now_ms = performance.now();
    if (document.activeElement === this.input && now_ms - this.#spoken_ms < SPOKEN_MS) return;
    this.#spoken_ms = now_ms;
    this.input.setAttribute("aria-valuetext", this.#spoken(position_s, total_s));
  }

  #spoken(position_s: number, total_s: number): string {
    const said = this.words.position(clock(position_s), clock(total_s));
    const kind = this.#stretchAt(position_s)?.kind ?? "media";
    return kind === "media" ? said : `${said}, ${this.words.stretch[kind]}`;
  }

  #draw(reading: Reading, total_s: number): void {
    this.#drawn = reading;
    this.#stretches = stretches(reading);
    const parts = this.#stretches.map(({ kind, from_s, to_s }) => {
      const part = element("div", { class: "hw-stretch", "data-kind": kind });
      part.style.left = `${(100 * from_s) / total_s}%`;
      part.style.width = `${100 * Math.max(kind === "media" ? 0 : STRETCH_MIN, (to_s - from_s) / total_s)}%`;
      return part;
    });
    this.#track.replaceChildren(...parts);
  }

  #listen(signal: AbortSignal): void {
    const { input, playback } = this;
    // Whoever goes elsewhere wants to hear where that is.
    playback.video.addEventListener("seeking", () => (this.#spoken_ms = -Infinity), { signal });
    input.addEventListener("input", () => {
      this.#isDragging = true;
      this.#played.style.width = `${(100 * Number(input.value)) / Number(input.max)}%`;
    }, { signal });
    input.addEventListener("change", () => {
      this.#isDragging = false;
      this.#go(Number(input.value));
    }, { signal });
    input.addEventListener("pointermove", (event) => this.#showTip(event), { signal });
    input.addEventListener("pointerleave", () => this.#hideTip(), { signal });
    this.#still.addEventListener("load", () => reveal(this.#still, true), { signal });
    this.#still.addEventListener("error", () => {
      this.#stillFailures += 1;
      reveal(this.#still, false);
    }, { signal });
    signal.addEventListener("abort", () => clearTimeout(this.#stillTimer));
  }

  /** To a position; what came late leads to where it can be seen, and other gaps to what follows. */
  #go(position_s: number): void {
    const reading = this.playback.feed?.playing;
    if (!reading) return;
    const stretch = this.#stretchAt(position_s);
    if (stretch?.kind === "late" && stretch.catchupFrom !== null) return this.playback.watchLate(stretch.catchupFrom);
    this.playback.seek(Math.min(this.#most_s, mediaFrom(reading, position_s) ?? position_s));
  }

  #stretchAt(position_s: number): Stretch | undefined {
    return this.#stretches.find(({ from_s, to_s }) => position_s >= from_s && position_s < to_s);
  }

  #showTip(event: PointerEvent): void {
    const reading = this.playback.feed?.playing;
    const box = this.input.getBoundingClientRect();
    if (!reading || box.width === 0) return;
    const part = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const position_s = part * length_s(reading);
    const kind = this.#stretchAt(position_s)?.kind ?? "media";
    const at_ms = momentOf(reading, position_s);
    const time = at_ms === null ? "" : new Date(at_ms).toLocaleTimeString(this.language);
    const lines = [clock(position_s), time, kind === "media" ? "" : this.words.stretch[kind]];
    put(this.#tipText, lines.filter((line) => line !== "").join(" · "));
    this.#tip.style.left = `clamp(5.5rem, ${100 * part}%, calc(100% - 5.5rem))`;
    reveal(this.#tip, true);
    clearTimeout(this.#stillTimer);
    this.#stillTimer = window.setTimeout(() => this.#showStill(reading, position_s), STILL_REST_MS);
  }

  #showStill(reading: Reading, position_s: number): void {
    const entry = entryAt(reading, position_s);
    const url = entry && !entry.isGap ? this.playback.addresses?.stillOf(entry.uri, STILL_WIDTH) : null;
    if (!url || this.#stillFailures >= STILL_FAILURES_MAX) return reveal(this.#still, false);
    if (this.#still.src !== url) this.#still.src = url;
    else reveal(this.#still, this.#still.naturalWidth > 0);
  }

  #hideTip(): void {
    clearTimeout(this.#stillTimer);
    reveal(this.#tip, false);
    reveal(this.#still, false);
  }
}
