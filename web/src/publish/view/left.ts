/**
 * What earlier visits left on this device, and what can be done with it.
 */
import { element } from "../../element";
import { confirmed } from "../../question";
import { type Choice, choicesFor, type Left, leftOver } from "../model";
import type { Session } from "../session";
import type { Words } from "../words";

export class LeftView {
  readonly #list = element("ul");
  readonly root: HTMLElement;
  #shown = "";

  constructor(private readonly words: Words) {
    this.root = element("section", { class: "left", "aria-label": words.leftTitle, hidden: true }, this.#list);
  }

  show(session: Session): void {
    const left = leftOver(session.model);
    const canGoOn = session.model.stage.kind === "ready";
    const text = JSON.stringify([left, canGoOn], (key, value: unknown) => (key === "spool" ? glance(value) : value));
    if (text === this.#shown) return;
    this.#shown = text;
    this.root.hidden = left.length === 0;
    this.#list.replaceChildren(...left.map((one) => this.#card(one, session, canGoOn)));
  }

  #card(left: Left, session: Session, canGoOn: boolean): HTMLElement {
    const { words } = this;
    const attributes = { class: `card ${left.kind}`, "data-id": idOf(left), "data-state": left.kind };
    const card = element("li", attributes, element("p", {}, this.#said(left)));
    if ("spool" in left) {
      card.prepend(element("h2", {}, left.spool.title || words.untitled));
      if (left.spool.lost > 0) card.append(element("p", {}, words.left.damaged(left.spool.lost)));
    }
    const choices = choicesFor(left).map((choice, index) => this.#choice(choice, index, left, session, canGoOn));
    if (choices.length > 0) card.append(element("div", { class: "actions" }, ...choices));
    return card;
  }

  #choice(choice: Choice, index: number, left: Left, session: Session, canGoOn: boolean): HTMLElement {
    const { words } = this;
    const id = idOf(left);
    switch (choice) {
      case "go-on": {
        const goOn = button(words.goOn, "primary", () => void session.goOn(id));
        goOn.disabled = !canGoOn;
        return goOn;
      }
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
    if (left.kind === "held") return words.left.held;
    if (left.kind === "unreadable") return words.left.unreadable;
    const waiting_s = left.spool.owed.duration_ms / 1000;
    switch (left.kind) {
      case "interrupted":
        return left.spool.endedThere ? words.left.sending(waiting_s) : words.left.interrupted(waiting_s);
      case "sending":
        return words.left.sending(waiting_s);
      case "stuck":
        if (left.spool.trouble?.kind === "unauthorized") return words.left.notAccepted(waiting_s);
        if (left.spool.trouble?.kind === "no-broadcast") return words.left.noBroadcast(waiting_s);
        return words.left.stuck(left.spool.refused, waiting_s);
      case "sent":
        return words.left.sent;
    }
  }
}

function idOf(left: Left): string {
  return "spool" in left ? left.spool.id : left.id;
}

/** What of a spool is seen here. */
function glance(spool: unknown): unknown {
  const { id, title, owed, refused, lost, endedThere, said, trouble } = spool as Extract<Left, { kind: "sent" }>["spool"];
  return [id, title, Math.round(owed.duration_ms / 1000), refused, lost, endedThere, said, trouble?.kind];
}

function button(label: string, kind: string, press: () => void): HTMLButtonElement {
  const made = element("button", { type: "button", class: kind }, label);
  made.addEventListener("click", press);
  return made;
}
