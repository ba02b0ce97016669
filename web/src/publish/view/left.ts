/**
 * What earlier visits left on this device, and what can be done with it.
 */
import { element } from "../../element";
import { type Left, leftOver } from "../model";
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
    if (left.kind === "held") return element("li", { class: "card" }, element("p", {}, words.left.held));
    if (left.kind === "unreadable") {
      const attributes = { class: "card stuck", "data-id": left.id, "data-state": left.kind };
      return element("li", attributes, element("p", {}, words.left.unreadable(left.detail)));
    }
    const { spool } = left;
    const card = element(
      "li",
      { class: `card ${left.kind}`, "data-id": spool.id, "data-state": left.kind },
      element("h3", {}, spool.title || words.untitled),
      element("p", {}, this.#said(left)),
    );
    if (spool.lost > 0) card.append(element("p", {}, words.left.damaged(spool.lost)));
    const actions = element("div", { class: "actions" });
    if (left.kind === "interrupted") {
      const goOn = button(words.goOn, "primary", () => void session.goOn(spool.id));
      goOn.disabled = !canGoOn;
      // One that was ended elsewhere cannot go on.
      if (!spool.endedThere) actions.append(goOn);
      actions.append(button(words.finish, "second", () => session.finish(spool.id)));
    }
    if (left.kind === "stuck") actions.append(button(words.save, "second", () => session.save(spool.id)));
    if (left.kind === "sent") actions.append(element("a", { class: "button second", href: `/watch/${spool.id}` }, words.watch));
    if (actions.childElementCount > 0) card.append(actions);
    return card;
  }

  #said(left: Extract<Left, { spool: unknown }>): string {
    const { words } = this;
    const waiting_s = left.spool.owed.duration_ms / 1000;
    switch (left.kind) {
      case "interrupted":
        return left.spool.endedThere ? words.left.sending(waiting_s) : words.left.interrupted(waiting_s);
      case "sending":
        return words.left.sending(waiting_s);
      case "stuck":
        return words.left.stuck(left.spool.refused, waiting_s);
      case "sent":
        return words.left.sent;
    }
  }
}

/** What of a spool is seen here. */
function glance(spool: unknown): unknown {
  const { id, title, owed, refused, lost, endedThere } = spool as Extract<Left, { kind: "sent" }>["spool"];
  return [id, title, Math.round(owed.duration_ms / 1000), refused, lost, endedThere];
}

function button(label: string, kind: string, press: () => void): HTMLButtonElement {
  const made = element("button", { type: "button", class: kind }, label);
  made.addEventListener("click", press);
  return made;
}
