/**
 * The watch page: a player, and under it the broadcast's title and how it stands.
 */
import { element, required } from "../element";
import { type Language, useLanguage } from "../language";
import { type Player, type PlayerState, createPlayer } from "../player";
import { ApiFailure, getBroadcast } from "../transport";
import { type Asked, askedBy } from "./address";
import { expose } from "./exposed";
import { writtenTitle } from "./title";
import { type PageWords, pageWords } from "./words";

class WatchPage {
  readonly #title = element("h1", { dir: "auto" }, "…");
  readonly #line = element("p", { class: "state-line", dir: "auto" });
  readonly #player: Player;
  readonly #listening = new AbortController();

  constructor(
    root: HTMLElement,
    private readonly asked: Asked,
    language: Language,
    private readonly words: PageWords,
  ) {
    const picture = element("div", { class: "picture" });
    root.replaceChildren(picture, element("div", { class: "under" }, this.#title, this.#line));
    const { source, engine, at_ms, autoplay, muted } = asked;
    const shareUrl = `${location.origin}/watch/${encodeURIComponent(asked.id)}`;
    const options = { source, engine, at_ms, muted, autoplay: autoplay ?? true, language, shareUrl };
    this.#player = createPlayer(picture, options);
    this.#player.onState((state) => this.#show(state));
    expose(this.#player);
    this.#listen();
    this.#show(this.#player.state);
    void this.#showTitle();
  }

  destroy(): void {
    this.#listening.abort();
    this.#player.destroy();
    delete window.headwater;
  }

  #show({ standing }: PlayerState): void {
    const words = this.words.states[standing];
    if (this.#line.textContent !== words) this.#line.textContent = words;
    this.#line.dataset["state"] = standing;
  }

  /** Where the server has not written the title, its API is asked, once. */
  async #showTitle(): Promise<void> {
    let title = writtenTitle();
    try {
      title ??= (await getBroadcast(this.asked.id)).broadcast.title;
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.kind === "not-found") title = this.words.notFound;
    }
    this.#title.textContent = title || this.words.untitled;
    document.title = `${title || this.words.untitled} · Headwater`;
  }

  #listen(): void {
    // The whole page is the player's: its keys work wherever nothing else wants them.
    document.addEventListener("keydown", (event) => {
      if (event.target === document.body && this.#player.press(event)) event.preventDefault();
    }, { signal: this.#listening.signal });
  }
}

const language = useLanguage();
const page = new WatchPage(required("watch"), askedBy(location), language, pageWords(language));
addEventListener("pagehide", (event) => {
  // A page that the browser keeps for the back button goes on when it is shown again.
  if (!event.persisted) page.destroy();
});
