/**
 * Messages and offers over the picture.
 */
import { element } from "../../element";
import { clock } from "../../language";
import { type Action, type Message, missedReason } from "../message";
import type { Missed } from "../missed";
import type { Words } from "../words";
import { put, reveal, wordButton } from "./parts";

/** A message: a card in the middle, or a line at the top. Sentences run as their language does, whatever the page's buttons do. */
export class MessageView {
  readonly card = element("div", { class: "hw-card", hidden: true });
  readonly line = element("div", { class: "hw-line", dir: "auto", hidden: true });
  readonly #spin = element("div", { class: "hw-spin", "aria-hidden": "true" });
  readonly #title = element("p", { class: "hw-title", dir: "auto" });
  readonly #timer = element("p", { class: "hw-timer", dir: "auto" });
  readonly #hint = element("p", { class: "hw-hint", dir: "auto" });
  readonly #actions = element("div", { class: "hw-actions" });
  readonly #lineText = element("span");
  readonly #lineTimer = element("span", { class: "hw-timer" });
  #shown = "";

  constructor(
    private readonly words: Words,
    private readonly act: (action: Action) => void,
    private readonly signal: AbortSignal,
  ) {
    this.card.append(this.#spin, this.#title, this.#timer, this.#hint, this.#actions);
    this.line.append(this.#lineText, this.#lineTimer);
  }

  show(message: Message | null, now_ms: number): void {
    reveal(this.card, message?.weight === "card");
    reveal(this.line, message?.weight === "line");
    if (!message) return;
    const { since_ms } = message;
    const timer = since_ms === null ? "" : `${this.words.forTime} ${clock(Math.max(0, now_ms - since_ms) / 1000)}`;
    // It goes on with how long that has been so.
    const title = timer === "" ? message.title : message.title.replace(/\.$/, "");
    if (message.weight === "line") {
      put(this.#lineText, title);
      put(this.#lineTimer, timer);
      return;
    }
    reveal(this.#spin, message.kind === "loading");
    put(this.#title, title);
    put(this.#timer, timer);
    reveal(this.#timer, timer !== "");
    put(this.#hint, message.hint);
    reveal(this.#hint, message.hint !== "");
    this.card.dataset["kind"] = message.kind;
    this.#showActions(message.actions);
  }

  #showActions(actions: readonly Action[]): void {
    if (actions.join() === this.#shown) return;
    this.#shown = actions.join();
    const label = this.#labels();
    const buttons = actions.map((action) => wordButton(label[action], "main", () => this.act(action), this.signal));
    this.#actions.replaceChildren(...buttons);
  }

  #labels(): Record<Action, string> {
    const { words } = this;
    return {
      "jump-to-live": words.jumpToLive,
      "watch-recording": words.watchRecording,
      "watch-from-start": words.watchFromStart,
      "watch-missed": words.missed(""),
      reload: words.reload,
    };
  }
}

/** "Catching up · 0:42 behind live", with the way out: in sight also when the controls are not. */
export class CatchingUpView {
  readonly root = element("div", { class: "hw-line hw-catching-up", dir: "auto", hidden: true });
  readonly #behind = element("span", { class: "hw-timer" });

  constructor(
    private readonly words: Words,
    jumpToLive: () => void,
    signal: AbortSignal,
  ) {
    const what = element("span", { class: "hw-long" }, `${words.catchingUp} ·`);
    this.root.append(what, this.#behind, wordButton(words.jumpToLive, "quiet", jumpToLive, signal));
  }

  /** `behind_s` is null unless the player catches up. */
  show(behind_s: number | null): void {
    reveal(this.root, behind_s !== null);
    if (behind_s !== null) put(this.#behind, this.words.behind(clock(behind_s)));
  }
}

/** "Watch what you missed (3:20)". */
export class OfferView {
  readonly root = element("div", { class: "hw-offer", hidden: true });
  readonly #reason = element("p", { class: "hw-hint", dir: "auto" });
  readonly #take: HTMLButtonElement;

  constructor(
    private readonly words: Words,
    wishes: { take(): void; decline(): void },
    signal: AbortSignal,
  ) {
    this.#take = wordButton("", "main", wishes.take, signal);
    this.#take.classList.add("hw-missed");
    const decline = wordButton(words.stayLive, "quiet", wishes.decline, signal);
    this.root.append(this.#reason, element("div", { class: "hw-actions" }, this.#take, decline));
  }

  show(missed: Missed | null): void {
    reveal(this.root, missed !== null);
    if (!missed) return;
    put(this.#reason, missedReason(missed, this.words));
    put(this.#take, this.words.missed(clock(missed.length_s)));
  }
}
