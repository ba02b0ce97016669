/**
 * The page: the preview over all of it, the state in one big line, one big button.
 */
import { element } from "../element";
import type { OwnerWords } from "../owner/words";
import { confirmed } from "../question";
import type { Link } from "./address";
import { headline, isUnsent, type Missing, type Model, spoolOf, type Stage, toneOf } from "./model";
import type { Session } from "./session";
import { Facts, type Warning, warnings } from "./view/facts";
import { icon, type Icon } from "./view/icons";
import { LeftView } from "./view/left";
import { SettingsSheet } from "./view/settings";
import { otherWays, unsupported } from "./view/unsupported";
import type { Words } from "./words";

/** Phones can send an address to whoever should watch. */
const CAN_SHARE = "share" in navigator;

export class PublishView {
  readonly preview = element("video", { class: "preview", playsinline: true, muted: true, autoplay: true, "aria-hidden": "true" });
  readonly #line = element("h1", { class: "line" });
  readonly #more = element("p", { class: "more" });
  /** Heard by those who do not see: said when something changes, not at each second. */
  readonly #heard = element("p", { class: "heard", role: "status" });
  /** What needs somebody now is said at once; the rest, when there is nothing else to be said. */
  readonly #alarms = element("div", { role: "alert" });
  readonly #warnings = element("div", { role: "status" });
  readonly #facts: Facts;
  readonly #left: LeftView;
  readonly #ways = element("section", { class: "ways", hidden: true });
  /** Whose link they are filled in with. */
  #waysOf: Link | null | undefined;
  readonly #settings: SettingsSheet;
  readonly #title = element("input", { id: "title", maxlength: "200", autocomplete: "off", enterkeyhint: "done" });
  readonly #titleField: HTMLElement;
  readonly #red = element("button", { type: "button", class: "red" }, element("span"));
  readonly #pause = this.#round("pause");
  readonly #mute = this.#round("mic");
  readonly #switch = this.#round("switch");
  readonly #gear = this.#round("settings");
  readonly #again: HTMLButtonElement;
  readonly #tryAgain: HTMLButtonElement;
  readonly #watch: HTMLAnchorElement;
  readonly #meter = element("meter", { class: "level", min: "0", max: "1" });
  #said = "";
  #isUnsupported = false;
  /** Takes back the question whether another tab may take over. */
  #askNoMore: AbortController | null = null;

  constructor(
    private readonly root: HTMLElement,
    private readonly words: Words,
    private readonly ofOwner: OwnerWords,
  ) {
    this.#facts = new Facts(words);
    this.#left = new LeftView(words);
    this.#settings = new SettingsSheet(words);
    this.preview.muted = true;
    this.#title.placeholder = words.titleHint;
    this.#titleField = element("div", { class: "title" }, element("label", { for: "title", class: "heard" }, words.title), this.#title);
    this.#again = element("button", { type: "button", class: "primary again", hidden: true }, words.newOne);
    this.#tryAgain = element("button", { type: "button", class: "primary try", hidden: true }, words.tryAgain);
    this.#watch = element("a", { class: "button second watch-link", hidden: true, target: "_blank", rel: "noopener" }, CAN_SHARE ? words.share : words.watch);
    this.#meter.setAttribute("aria-label", words.level);
    label(this.#switch, words.switchCamera);
    label(this.#gear, words.settings);
    root.replaceChildren(
      this.preview,
      element("div", { class: "top" }, element("div", { class: "state" }, this.#line, this.#more), this.#facts.root, element("div", { class: "warnings" }, this.#alarms, this.#warnings), this.#heard),
      element(
        "div",
        { class: "bottom" },
        this.#left.root,
        this.#titleField,
        this.#ways,
        element("div", { class: "actions after" }, this.#tryAgain, this.#again, this.#watch),
        this.#meter,
        element("div", { class: "buttons" }, this.#pause, this.#mute, this.#red, this.#switch, this.#gear),
      ),
      this.#settings.root,
    );
  }

  #round(name: Icon): HTMLButtonElement {
    return element("button", { type: "button", class: "round" }, icon(name));
  }

  connect(session: Session): void {
    const on = (button: HTMLElement, press: () => unknown) => button.addEventListener("click", () => void press());
    on(this.#red, () => {
      const { kind } = session.model.stage;
      const isAtWork = kind === "recording" || kind === "paused";
      return isAtWork ? this.#end(session) : session.start(this.#title.value.trim() || this.words.untitled);
    });
    on(this.#pause, () => (session.model.stage.kind === "paused" ? session.resume() : session.pause()));
    on(this.#mute, () => session.mute(!session.model.isMuted));
    on(this.#switch, () => session.switchCamera());
    on(this.#gear, () => this.#settings.open(session));
    this.#watch.addEventListener("click", (event) => {
      if (!CAN_SHARE) return;
      event.preventDefault();
      const title = spoolOf(session.model)?.title ?? "";
      // Whoever thinks better of it has not failed.
      navigator.share({ title, url: this.#watch.href }).catch(() => undefined);
    });
    on(this.#again, () => session.again());
    on(this.#tryAgain, () => session.begin());
    this.#settings.connect(session);
  }

  async #end(session: Session): Promise<void> {
    const { words } = this;
    const question = { asks: words.stopSure, consequence: words.stopSureText, yes: words.stopYes, no: words.stopNo };
    if (await confirmed(question, "sheet")) await session.end();
  }

  show(session: Session): void {
    const { model } = session;
    const { stage } = model;
    if (stage.kind === "unsupported") return this.showUnsupported(stage.missing, session.link);
    this.root.dataset.stage = stage.kind;
    this.#showState(model);
    this.#facts.show(model);
    this.#left.show(session);
    if (stage.kind === "no-camera" && stage.why === "none") this.#showWays(session.link);
    else this.#ways.hidden = true;
    const said = warnings(model, this.words);
    show(this.#alarms, said.filter(({ isUrgent }) => isUrgent));
    show(this.#warnings, said.filter(({ isUrgent }) => !isUrgent));
    this.#showButtons(model);
    if (model.wanted === null) this.#askNoMore?.abort();
    else void this.#askWhetherToHandOver(session, model.wanted);
  }

  /** After any other question: they are asked one at a time. */
  async #askWhetherToHandOver(session: Session, id: string): Promise<void> {
    if (document.querySelector("dialog[open]") !== null) return;
    this.#askNoMore = new AbortController();
    const { words } = this;
    const question = { asks: words.handOverSure, consequence: words.handOverText, yes: words.handOverYes, no: words.handOverNo };
    const isAllowed = await confirmed(question, "sheet", this.#askNoMore.signal);
    if (session.model.wanted !== id) return;
    if (isAllowed) await session.handOver(id);
    else session.keepHere(id);
  }

  /** Instead of everything else. */
  showUnsupported(missing: Missing, link: Link | null): void {
    if (this.#isUnsupported) return;
    this.#isUnsupported = true;
    this.root.dataset.stage = "unsupported";
    this.#showWays(link);
    this.root.replaceChildren(unsupported(missing, this.words, this.#ways));
  }

  /** How to broadcast with something else. */
  #showWays(link: Link | null): void {
    this.#ways.hidden = false;
    if (this.#waysOf === link) return;
    this.#waysOf = link;
    this.#ways.replaceChildren(...otherWays(this.words, this.ofOwner, link));
  }

  #showState(model: Model): void {
    const { words } = this;
    const line = headline(model);
    const tone = toneOf(line);
    const { stage } = model;
    const text = words.stage(stage) || (stage.kind === "ready" && model.target.kind === "none" ? words.noTarget : words.headline(line));
    const isLine = stage.kind !== "no-camera" && stage.kind !== "asking" && text !== words.noTarget;
    set(this.#line, isLine ? text : words.headline({ kind: "ready" }));
    if (!isLine) set(this.#line, text);
    this.#line.classList.toggle("long", !isLine);
    this.root.dataset.tone = tone;
    this.root.dataset.state = line.kind;
    set(this.#more, this.#moreOf(model));
    const said = TOLD.includes(stage.kind) ? text : "";
    const key = `${stage.kind} ${line.kind}`;
    if (key !== this.#said) {
      this.#said = key;
      set(this.#heard, said);
    }
  }

  #moreOf(model: Model): string {
    const { words } = this;
    const spool = spoolOf(model);
    const line = headline(model);
    if (line.kind === "live" && spool && spool.missing_ms > 0) return words.catchingUp(spool.missing_ms / 1000);
    if (line.kind === "done") return isUnsent(model) ? "" : words.mayClose;
    if (line.kind === "sending" || line.kind === "reading-again") return words.keepOpen;
    if (model.stage.kind === "ready" && model.target.kind === "link") return model.target.title;
    return "";
  }

  #showButtons(model: Model): void {
    const { words } = this;
    const { stage, target } = model;
    const isAtWork = stage.kind === "recording" || stage.kind === "paused";
    const isOver = stage.kind === "ending" || stage.kind === "giving" || stage.kind === "done";
    this.#red.hidden = isOver || stage.kind === "no-camera";
    this.#red.disabled = !(isAtWork || (stage.kind === "ready" && target.kind !== "none"));
    label(this.#red, isAtWork ? words.stop : words.start);
    this.#pause.hidden = !isAtWork;
    change(this.#pause, stage.kind === "paused" ? "play" : "pause", stage.kind === "paused" ? words.resume : words.pause);
    this.#mute.hidden = !model.hasMicrophone || isOver || stage.kind === "no-camera";
    change(this.#mute, model.isMuted ? "muted" : "mic", model.isMuted ? words.unmute : words.mute);
    this.#mute.setAttribute("aria-pressed", String(model.isMuted));
    this.#switch.hidden = model.cameras < 2 || isOver;
    this.#gear.hidden = isOver || stage.kind === "no-camera" || stage.kind === "asking";
    this.#titleField.hidden = !(stage.kind === "ready" && target.kind === "own");
    this.#meter.hidden = !model.hasMicrophone || isOver;
    this.#meter.value = model.isMuted ? 0 : Math.sqrt(model.level);
    this.#again.hidden = !isOver || stage.kind === "giving";
    this.#tryAgain.hidden = stage.kind !== "no-camera";
    this.#watch.hidden = !("id" in stage) || stage.id === null || stage.kind === "starting";
    if ("id" in stage && stage.id !== null) this.#watch.href = `/watch/${stage.id}`;
  }
}

/** Where how things stand is said to those who do not see. */
const TOLD: readonly Stage["kind"][] = ["recording", "paused", "ending", "giving", "done"];

/** Only what is new is put in: what is in there is read out. */
function show(place: HTMLElement, said: Warning[]): void {
  const before = [...place.children].map((child) => child.textContent);
  if (before.join("\n") === said.map(({ text }) => text).join("\n")) return;
  place.replaceChildren(...said.map(({ text }) => element("p", {}, text)));
}

function set(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function label(button: HTMLElement, text: string): void {
  if (button.getAttribute("aria-label") === text) return;
  button.setAttribute("aria-label", text);
  button.title = text;
}

function change(button: HTMLElement, to: Icon, text: string): void {
  label(button, text);
  if (button.dataset.icon === to) return;
  button.dataset.icon = to;
  button.replaceChildren(icon(to));
}
