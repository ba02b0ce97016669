/**
 * The broadcasts, each with its newest picture. Cards are kept and changed in place, so that a refresh takes nobody's focus.
 */
import { type Broadcast, isMoving, isOver } from "../broadcast";
import { element } from "../element";
import { type Language, clock } from "../language";
import { copyButton } from "../owner/copyable";
import { embedCode } from "../owner/links";
import { Still } from "../owner/still";
import type { OwnerWords } from "../owner/words";

/** What the list shows. */
export type Listing =
  | { kind: "loading" }
  | { kind: "listed"; broadcasts: Broadcast[]; more: boolean }
  /** The cards stay as they were; `why` goes above them. */
  | { kind: "failed"; why: string };

/** What somebody wants of it. */
export interface Wishes {
  more: () => void;
  end: (broadcast: Broadcast) => void;
}

export class ListView {
  readonly #search: HTMLInputElement;
  readonly #said = element("p", { role: "status", class: "said" });
  readonly #empty: HTMLElement;
  readonly #list = element("ul", { class: "broadcasts" });
  readonly #more: HTMLButtonElement;
  readonly #cards = new Map<string, Card>();

  constructor(
    root: HTMLElement,
    private readonly words: OwnerWords,
    private readonly language: Language,
    private readonly wishes: Wishes,
  ) {
    this.#search = element("input", { type: "search", id: "search", placeholder: words.search, "aria-label": words.search });
    this.#search.hidden = true;
    this.#empty = element(
      "div",
      { class: "empty card", hidden: true },
      element("p", {}, words.noBroadcasts),
      element("p", { class: "hint" }, words.noBroadcastsHint),
    );
    this.#more = element("button", { type: "button", class: "quiet", hidden: true }, words.showMore);
    this.#more.addEventListener("click", wishes.more);
    this.#search.addEventListener("input", () => this.#filter());
    root.replaceChildren(this.#search, this.#said, this.#empty, this.#list, this.#more);
  }

  show(listing: Listing): void {
    this.#said.textContent = listing.kind === "failed" ? listing.why : listing.kind === "loading" ? this.words.loading : "";
    if (listing.kind !== "listed") return;
    this.#update(listing.broadcasts);
    const { length } = listing.broadcasts;
    this.#empty.hidden = length > 0;
    this.#search.hidden = length < 2 && this.#search.value === "";
    this.#more.hidden = !listing.more;
    this.#filter();
  }

  /** New pictures for those that move and can be seen. */
  refreshStills(): void {
    for (const card of this.#cards.values()) card.refreshStill();
  }

  #update(broadcasts: Broadcast[]): void {
    const listed = new Set(broadcasts.map(({ id }) => id));
    for (const [id, card] of this.#cards) {
      if (listed.has(id)) continue;
      card.item.remove();
      this.#cards.delete(id);
    }
    broadcasts.forEach((broadcast, position) => this.#place(broadcast, position));
  }

  #place(broadcast: Broadcast, position: number): void {
    const known = this.#cards.get(broadcast.id);
    const card = known ?? new Card(broadcast, this.words, this.language, this.wishes);
    this.#cards.set(broadcast.id, card);
    card.show(broadcast);
    const there = this.#list.children[position] ?? null;
    if (there !== card.item) this.#list.insertBefore(card.item, there);
    if (!known) card.refreshStill();
  }

  #filter(): void {
    const sought = this.#search.value.trim().toLocaleLowerCase(this.language);
    let found = 0;
    for (const card of this.#cards.values()) {
      card.item.hidden = !card.title.toLocaleLowerCase(this.language).includes(sought);
      if (!card.item.hidden) found += 1;
    }
    const nothing = sought !== "" && found === 0;
    if (nothing) this.#said.textContent = this.words.nothingFound(this.#search.value.trim());
    else if (this.#said.textContent !== "" && sought !== "") this.#said.textContent = "";
  }
}

/** One broadcast of the list. */
class Card {
  readonly #link: HTMLAnchorElement;
  readonly #badge = element("span", { class: "badge" });
  readonly #viewers = element("span", { class: "viewers" });
  readonly #facts = element("p", { class: "meta" });
  readonly #end: HTMLButtonElement;
  readonly #still: Still;
  readonly #created: string;
  #broadcast: Broadcast;
  #shown = false;
  readonly item: HTMLLIElement;

  constructor(
    broadcast: Broadcast,
    private readonly words: OwnerWords,
    language: Language,
    wishes: Wishes,
  ) {
    this.#broadcast = broadcast;
    const id = encodeURIComponent(broadcast.id);
    this.#still = new Still(broadcast.id, 320, { alt: "", instead: words.noPreview });
    this.#link = element("a", { href: `/broadcasts/${id}` });
    this.#end = element("button", { type: "button", class: "quiet danger-text" }, words.endShort);
    this.#end.addEventListener("click", () => wishes.end(this.#broadcast));
    const when = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
    this.#created = when.format(new Date(broadcast.created_at));
    const code = () => embedCode(this.#broadcast, location.origin);
    this.item = element(
      "li",
      { class: "card" },
      element("a", { class: "preview", href: `/broadcasts/${id}`, tabindex: "-1", "aria-hidden": "true" }, this.#still.element),
      element("div", { class: "over" }, this.#badge, this.#viewers),
      element("h3", {}, this.#link),
      this.#facts,
      element(
        "div",
        { class: "buttons" },
        element("a", { class: "button quiet", href: `/watch/${id}` }, words.watch),
        copyButton(words, words.embedCode, code, { label: words.embedShort }),
        this.#end,
      ),
    );
  }

  get title(): string {
    return this.#broadcast.title || this.words.untitled;
  }

  show(broadcast: Broadcast): void {
    this.#broadcast = broadcast;
    const { state, duration_s, missing, viewers } = broadcast;
    put(this.#link, this.title);
    this.#link.setAttribute("aria-label", this.words.manage(this.title));
    put(this.#badge, this.words.states[state]);
    this.#badge.dataset["state"] = state;
    put(this.#viewers, viewers === null || isOver(state) || state === "created" ? "" : this.words.viewers(viewers));
    const length = duration_s > 0 ? clock(duration_s) : "";
    const facts = [this.#created, length, missing > 0 ? this.words.missing(missing) : ""];
    put(this.#facts, facts.filter((fact) => fact !== "").join(" · "));
    this.#end.hidden = isOver(state);
    this.#end.setAttribute("aria-label", `${this.words.end}: ${this.title}`);
  }

  refreshStill(): void {
    if (this.item.hidden || this.#broadcast.duration_s === 0) return;
    if (this.#shown && !isMoving(this.#broadcast.state)) return;
    this.#shown = true;
    this.#still.refresh();
  }
}

/** Changes a text only if it differs, so that a selection survives. */
function put(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
