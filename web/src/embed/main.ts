/**
 * The embed page: a player that fills its frame, and speaks with the site around it.
 */
import { required } from "../element";
import { useLanguage } from "../language";
import { createPlayer } from "../player";
import { askedBy } from "../watch/address";
import { expose } from "../watch/exposed";
import { writtenTitle } from "../watch/title";
import { pageWords } from "../watch/words";
import { Bridge } from "./bridge";
import "./embed.css";

const language = useLanguage();
const asked = askedBy(location);
const words = pageWords(language);
const page = `${location.origin}/watch/${encodeURIComponent(asked.id)}`;
const player = createPlayer(required("embed"), {
  source: asked.source,
  engine: asked.engine,
  at_ms: asked.at_ms,
  muted: asked.muted,
  // Somebody else's page does not begin to play unless it says so.
  autoplay: asked.autoplay ?? false,
  language,
  shareUrl: page,
  titleLink: { text: writtenTitle() || words.watchOn, url: page },
});
expose(player);
const bridge = new Bridge(player, window, location.search, document.referrer);
addEventListener("pagehide", (event) => {
  if (event.persisted) return;
  bridge.destroy();
  player.destroy();
});
