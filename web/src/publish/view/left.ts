/**
 * What earlier visits left on this device, and what can be done with it.
 */
import { element } from "../../element";
import { confirmed } from "../../question";
import { type Choice, choicesFor, type Left, leftOver } from "../model";
import type { Session } from "../session";
import type { Words } from "../words";

/**
 * A card that stays while what it shows changes: somebody may be about to press one of its buttons, and what is said in a
 * new place is not read out.
 */
interface Card {
  /** What its title and buttons are made anew for. */
  shape: string;
  root: HTMLElement;
  title: HTMLElement;
  said: HTMLElement;
  damaged: HTMLElement;
  actions: HTMLElement;
  goOn: HTMLButtonElement | null;
}

export class LeftView {
  readonly #list = element("ul");
  readonly root: HTMLElement;
  readonly #cards = new Map<string, Card>();

  constructor(private readonly words: Words) {
    this.root = element("section", { class: "left", "aria-label": words.leftTitle, hidden: true }, this.#list);
  }

  show(session: Session): void {
    const left = leftOver(session.model);
    const ids = new Set(left.map(idOf));
    for (const [id, { root }] of this.#cards) {
      if (ids.has(id)) continue;
      root.remove();
      this.#cards.delete(id);
    }
    this.root.hidden = left.length === 0;
    const canGoOn = session.model.stage.kind === "ready";
    left.forEach((one, index) => {
      const card = this.#cardOf(one, session);
      put(card.said, this.#said(one));
      const damaged = "spool" in one ? one.spool.lost : 0;
      card.damaged.hidden = damaged === 0;
      put(card.damaged, damaged === 0 ? "" : this.words.left.damaged(damaged));
      if (card.goOn) card.goOn.disabled = !canGoOn;
      // Only where it is not in its place: what is moved loses the focus.
      const there = this.#list.children[index] ?? null;
      if (there !== card.root) this.#list.insertBefore(card.root, there);
    });
  }

  #cardOf(left: Left, session: Session): Card {
    const id = idOf(left);
    const title = titleFor(left, this.words);
    const choices = choicesFor(left);
    const shape = JSON.stringify([left.kind, title, choices]);
    const card = this.#cards.get(id) ?? emptyCard(id);
    this.#cards.set(id, card);
    if (card.shape === shape) return card;
    const hadFocus = card.root.contains(document.activeElement);
    card.shape = shape;
    card.root.className = `card ${left.kind}`;
    card.root.dataset.state = left.kind;
    put(card.title, title);
    card.title.hidden = title === "";
    // What comes of asking another tab is said too.
    if (left.kind === "held") card.said.setAttribute("role", "status");
    else card.said.removeAttribute("role");
    const made = choices.map((choice, index) => this.#choice(choice, index, left, session));
    card.actions.replaceChildren(...made);
    card.actions.hidden = made.length === 0;
    const goOn = made[choices.indexOf("go-on")];
    card.goOn = goOn instanceof HTMLButtonElement ? goOn : null;
    if (hadFocus) card.root.focus();
    return card;
  }

  #choice(choice: Choice, index: number, left: Left, session: Session): HTMLElement {
    const { words } = this;
    const id = idOf(left);
    switch (choice) {
      case "take-over":
        return button(words.takeOver, "primary", () => session.takeOver(id));
      case "go-on":
        return button(words.goOn, "primary", () => void session.goOn(id));
      case "finish":
        return button(words.finish, "second", () => session.finish(id));
      case "save":
        return button(words.save, index === 0 ? "primary" : "second", () => session.save(id));
      case "delete":
        return button(words.discard, "second discard", () => void this.#discard(left, session));
      case "watch":
        return element("a", { class: "button second", href: `/watch/${id}` }, words.watch);
    }
  }

  async #discard(left: Left, session: Session): Promise<void> {
    const { words } = this;
    const consequence = left.kind === "unreadable" ? words.discardUnreadable : words.discardText;
    const question = { asks: words.discardSure, consequence, yes: words.discardYes, no: words.discardNo };
    if (await confirmed(question, "sheet")) session.discard(idOf(left));
  }

  #said(left: Left): string {
    const { words } = this;
    if (left.kind === "held") return words.left.held(left.state);
    if (left.kind === "unreadable") return words.left.unreadable;
    const { owed, unreadable, endedThere, isKnown, trouble } = left.spool;
    const waiting_s = owed.duration_ms / 1000;
    // Where nobody has answered yet, an earlier visit may have told it.
    const ended = { waiting_s, unreadable, isTold: endedThere || !isKnown, isReachable: trouble === null };
    switch (left.kind) {
      case "interrupted":
        return endedThere ? words.left.sending(ended) : words.left.interrupted(waiting_s, unreadable);
      case "sending":
        return words.left.sending(ended);
      case "stuck":
        if (trouble?.kind === "unauthorized") return words.left.notAccepted(waiting_s);
        if (trouble?.kind === "no-broadcast") return words.left.noBroadcast(waiting_s);
        if (left.spool.isRefusedByEnd) return words.left.afterTheEnd;
        return words.left.stuck(left.spool.refused, left.spool.damaged);
      case "sent":
        return words.left.sent;
    }
  }
}

function emptyCard(id: string): Card {
  const [title, said, damaged] = [element("h2"), element("p"), element("p", { hidden: true })];
  const actions = element("div", { class: "actions" });
  // It takes the focus of a button that is gone.
  const root = element("li", { "data-id": id, tabindex: "-1" }, title, said, damaged, actions);
  return { shape: "", root, title, said, damaged, actions, goOn: null };
}

function idOf(left: Left): string {
  return "spool" in left ? left.spool.id : left.id;
}

/** Empty as long as it is not known. */
function titleFor(left: Left, words: Words): string {
  if ("spool" in left) return left.spool.title || words.untitled;
  return left.kind === "held" ? left.title : "";
}

/** Changes a text only if it differs. */
function put(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

function button(label: string, kind: string, press: () => void): HTMLButtonElement {
  const made = element("button", { type: "button", class: kind }, label);
  made.addEventListener("click", press);
  return made;
}
