/**
 * The page of one broadcast, for its owner.
 */
import { type Details, isMoving, isOver, type State } from "../broadcast";
import { element, required } from "../element";
import { type Language, useLanguage } from "../language";
import { load, takeFromAddress } from "../owner-key";
import { Poll } from "../poll";
import { ApiFailure, type Order, getBroadcast, getPublishing, order } from "../transport";
import { KeyForm } from "./key-form";
import { publishing } from "./publishing";
import { BroadcastView } from "./view";
import { type OwnerWords, ownerWords, said } from "./words";

const REFRESH_MS = 2_000;
const STILL_MS = 4_000;
const TICK_MS = 1_000;

class OwnerPage {
  readonly #view: BroadcastView;
  readonly #key: KeyForm;
  readonly #links = element("div", { class: "all-links" });
  readonly #beside = element("div", { class: "beside" });
  #details: Details | null = null;
  #clock_ahead_ms = 0;
  #stillWanted = true;
  /** The state that was told after an order, until it changes. */
  #told: State | null = null;

  constructor(
    root: HTMLElement,
    private readonly id: string,
    private readonly words: OwnerWords,
    language: Language,
  ) {
    const main = element("div", { class: "one" });
    this.#key = new KeyForm(words, () => void this.#showLinks());
    const heading = element("h2", {}, words.links);
    this.#beside.append(heading, this.#key.element, this.#links);
    root.replaceChildren(
      element("p", { class: "back" }, element("a", { href: "/" }, words.back)),
      main,
      this.#beside,
    );
    this.#view = new BroadcastView(main, id, words, language, (what) => this.#give(what));
    this.#view.say(words.loading);
    new Poll(() => this.#refresh(), REFRESH_MS);
    new Poll(async () => this.#refreshStill(), STILL_MS);
    new Poll(async () => this.#show(), TICK_MS);
    void this.#showLinks();
  }

  async #refresh(): Promise<void> {
    if (document.hidden) return;
    try {
      const { broadcast, clock_ahead_ms } = await getBroadcast(this.id);
      const isFirst = this.#details === null;
      this.#details = broadcast;
      if (isFirst) this.#refreshStill();
      this.#clock_ahead_ms = clock_ahead_ms;
      document.title = `${broadcast.title || this.words.untitled} · Headwater`;
      if (this.#told !== broadcast.state) this.#view.say("");
      this.#show();
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      const { words } = this;
      this.#told = null;
      this.#beside.hidden = error.kind === "not-found";
      this.#view.say(error.kind === "not-found" ? words.notFound : words.tryingAgain(said(words, error)));
    }
  }

  #show(): void {
    if (this.#details === null) return;
    // After the end there is nothing to publish to.
    for (const card of this.#links.querySelectorAll<HTMLElement>(".to-publish")) card.hidden = isOver(this.#details.state);
    this.#view.show(this.#details, Date.now() + this.#clock_ahead_ms);
  }

  /** Once more after the end: that is the last one. */
  #refreshStill(): void {
    // Before anything was recorded there is none.
    if (document.hidden || this.#details?.recorded == null) return;
    const moving = isMoving(this.#details.state);
    if (moving || this.#stillWanted) this.#view.refreshStill();
    this.#stillWanted = moving;
  }

  async #showLinks(): Promise<void> {
    const { words } = this;
    try {
      this.#links.replaceChildren(...publishing(words, await getPublishing(this.id, load())));
      this.#key.done();
      this.#show();
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.kind === "refused") this.#key.ask();
      else if (error.kind !== "not-found") this.#links.replaceChildren(element("p", { role: "alert" }, said(words, error)));
    }
  }

  async #give(what: Order): Promise<void> {
    try {
      const { state } = (this.#details = await order(this.id, what, load()));
      this.#told = state;
      this.#view.say(this.words.nowIs(this.words.states[state]));
      this.#show();
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.kind === "refused") this.#key.ask();
      this.#told = null;
      this.#view.say(this.words.failed(said(this.words, error)));
    }
  }
}

takeFromAddress();
const language = useLanguage();
const [id] = location.pathname.split("/").slice(2);
new OwnerPage(required("broadcast"), decodeURIComponent(id ?? ""), ownerWords(language), language);
