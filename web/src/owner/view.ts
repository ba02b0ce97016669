/**
 * One broadcast, as its owner sees it. Changed in place, so that a refresh takes nobody's focus.
 */
import { type Details, isOver } from "../broadcast";
import { element } from "../element";
import { type Language, clock } from "../language";
import type { Order } from "../transport";
import { confirmed } from "../question";
import { bytesInWords, type Hole, holesOf, nothingYet, openUntil, pieces, rateInWords, timeInWords } from "./facts";
import { Still } from "./still";
import type { OwnerWords } from "./words";

export class BroadcastView {
  readonly #title = element("h1", { tabindex: "-1" });
  readonly #badge = element("span", { class: "badge" });
  readonly #since = element("span", { class: "since" });
  readonly #viewers = element("span");
  readonly #missing = element("span");
  readonly #said = element("p", { role: "status", class: "said" });
  readonly #pause = element("button", { type: "button", class: "quiet" });
  readonly #end = element("button", { type: "button", class: "danger" });
  readonly #giveUp = element("button", { type: "button", class: "danger" });
  readonly #orders = element("div", { class: "buttons" }, this.#pause, this.#end, this.#giveUp);
  readonly #recording = element("div", { class: "recording" });
  readonly #renditions = element("div", { class: "wide", role: "region", tabindex: "0" });
  readonly #still: Still;
  /** What there is only of a broadcast that there is. */
  readonly #known: HTMLElement[];
  #told = "";

  constructor(
    root: HTMLElement,
    id: string,
    private readonly words: OwnerWords,
    private readonly language: Language,
    private readonly give: (order: Order) => Promise<void>,
  ) {
    this.#still = new Still(id, 640, { alt: words.preview, instead: words.noPreview });
    const facts = element("p", { class: "facts" }, this.#badge, this.#since, this.#viewers, this.#missing);
    const head = element("div", { class: "head" }, element("div", {}, this.#title, facts), this.#orders);
    const preview = element("a", { class: "preview", href: `/watch/${encodeURIComponent(id)}` }, this.#still.element);
    this.#known = [head, preview, section(words.timeline, this.#recording), section(words.renditions, this.#renditions)];
    for (const part of this.#known) part.hidden = true;
    const [, ...rest] = this.#known;
    root.replaceChildren(head, this.#said, ...rest);
    this.#pause.addEventListener("click", () => void this.#ask(this.#pause.value === "resume" ? "resume" : "pause"));
    this.#end.addEventListener("click", () => void this.#ask("end"));
    this.#giveUp.addEventListener("click", () => void this.#ask("abandon"));
    this.#end.textContent = words.end;
    this.#giveUp.textContent = words.giveUp;
    this.#renditions.setAttribute("aria-label", words.renditions);
  }

  refreshStill(): void {
    this.#still.refresh();
  }

  /** `now_ms` is by the server's clock. */
  show(details: Details, now_ms: number): void {
    const { words } = this;
    for (const part of this.#known) part.hidden = false;
    put(this.#title, details.title || words.untitled);
    put(this.#badge, words.states[details.state]);
    this.#badge.dataset["state"] = details.state;
    const since_s = details.since === null ? null : (now_ms - details.since) / 1000;
    put(this.#since, since_s === null ? "" : `${words.sinceFor} ${clock(since_s)}`);
    put(this.#viewers, details.viewers === null || isOver(details.state) ? "" : words.viewers(details.viewers));
    put(this.#missing, details.missing > 0 ? words.missing(details.missing) : "");
    const paused = details.state === "paused";
    this.#pause.hidden = this.#end.hidden = isOver(details.state);
    this.#giveUp.hidden = details.state !== "ended";
    this.#orders.hidden = details.state === "complete";
    this.#pause.value = paused ? "resume" : "pause";
    put(this.#pause, paused ? words.resume : words.pause);
    // What does not change is not written anew: somebody may be reading it.
    const told = JSON.stringify([details.recorded, details.details, details.state, details.open_until]);
    if (told === this.#told) return;
    this.#told = told;
    this.#recording.replaceChildren(...this.#recordingOf(details));
    this.#renditions.replaceChildren(this.#renditionsOf(details));
  }

  say(text: string): void {
    put(this.#said, text);
  }

  async #ask(order: Order): Promise<void> {
    const { words } = this;
    if (order === "end") {
      const asked = { asks: words.endQuestion, consequence: words.endConsequence, yes: words.end, no: words.keepGoing };
      if (!(await confirmed(asked))) return;
    }
    if (order === "pause") {
      const asked = { asks: words.pauseQuestion, consequence: words.pauseConsequence, yes: words.pause, no: words.keepGoing };
      if (!(await confirmed(asked))) return;
    }
    if (order === "abandon") {
      const asked = { asks: words.giveUpQuestion, consequence: words.giveUpConsequence, yes: words.giveUp, no: words.keepGoing };
      if (!(await confirmed(asked))) return;
    }
    const buttons = [this.#pause, this.#end, this.#giveUp];
    for (const button of buttons) button.disabled = true;
    try {
      await this.give(order);
    } finally {
      for (const button of buttons) button.disabled = false;
      this.#takeFocus(buttons);
    }
  }

  /** Whoever uses the keyboard goes on where they were: the button may be gone, and no button has the focus while disabled. */
  #takeFocus(buttons: readonly HTMLButtonElement[]): void {
    if (document.activeElement !== null && document.activeElement !== document.body) return;
    (buttons.find((button) => !button.hidden) ?? this.#title).focus();
  }

  #recordingOf(details: Details): HTMLElement[] {
    const { words, language } = this;
    const { recorded } = details;
    const open = openUntil(details, words, language);
    const waits = open === "" ? [] : [element("p", { class: "hint" }, open)];
    if (recorded === null) return [element("p", { class: "hint" }, nothingYet(details, words)), ...waits];
    const holes = holesOf(details);
    const label = words.timelineSpoken(details.duration_s, holes.length);
    const bar = element("div", { class: "bar", role: "img", "aria-label": label });
    for (const { start, length } of pieces(recorded, holes)) {
      const piece = element("span");
      piece.style.insetInlineStart = `${start}%`;
      piece.style.inlineSize = `${length}%`;
      bar.append(piece);
    }
    const now = Date.now();
    const facts = element(
      "dl",
      { class: "numbers" },
      ...fact(words.duration, clock(details.duration_s)),
      ...fact(words.began, timeInWords(language, recorded[0], now)),
      ...fact(words.until, timeInWords(language, recorded[1], recorded[0])),
    );
    const lacks = holes.map((hole) => element("li", {}, this.#hole(hole, recorded[0])));
    const rest = waits.length > 0 ? waits : [element("p", { class: "hint" }, lacks.length > 0 ? words.stillToCome : words.complete)];
    return [bar, facts, ...(lacks.length > 0 ? [element("ul", { class: "holes" }, ...lacks)] : []), ...rest];
  }

  #hole({ from, to }: Hole, beside: number): string {
    const { words, language } = this;
    const time = (ms: number) => timeInWords(language, ms, beside);
    if (from !== null && to !== null) return words.missingFrom(time(from), time(to), clock((to - from) / 1000));
    if (to !== null) return words.missingBefore(time(to));
    return from === null ? words.missingOne : words.missingAfter(time(from));
  }

  #renditionsOf({ details }: Details): HTMLElement {
    const { words, language } = this;
    const names = Object.keys(details);
    if (names.length === 0) return element("p", { class: "hint" }, words.nothingRecorded);
    const heads = [words.rendition, words.resolution, words.codecs, words.rate, words.bytes, words.segments];
    const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
    const number = new Intl.NumberFormat(language);
    const rows = Object.entries(details).map(([name, rendition]) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, name),
        ...[
          rendition.resolution?.replace("x", " × ") ?? "–",
          // With room to break between them.
          rendition.codecs?.split(/,\s*/).join(", ") ?? "–",
          rateInWords(language, rendition.average_bits_per_s),
          bytesInWords(language, rendition.bytes),
          number.format(rendition.segments),
        ].map((text) => element("td", {}, text)),
      ),
    );
    return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  }
}

function section(heading: string, content: HTMLElement): HTMLElement {
  return element("section", { class: "card" }, element("h2", {}, heading), content);
}

function fact(name: string, value: string): HTMLElement[] {
  return [element("div", {}, element("dt", {}, name), element("dd", {}, value))];
}

/** Changes a text only if it differs, so that a selection survives. */
function put(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
