/**
 * Where a broadcast is watched, shown on other sites, and sent to.
 */
import { renderSVG } from "uqr";
import { element } from "../element";
import type { Created } from "../transport";
import { copyable } from "./copyable";
import { more, withFfmpeg, withObs } from "./encoders";
import { embedCode, givesCamera, isLoopback, publishLink } from "./links";
import { pushPlaylist, testPicture } from "./recipes";
import type { OwnerWords } from "./words";

/** All of it, in cards. */
export function publishing(words: OwnerWords, created: Created): HTMLElement[] {
  return [phone(words, created), viewers(words, created), site(words, created), encoder(words, created)];
}

function phone(words: OwnerWords, created: Created): HTMLElement {
  const link = publishLink(created);
  const hint = givesCamera(link) ? words.phoneHint : words.phoneNeedsHttps;
  return publishCard(
    words.phone,
    withCode(words.phoneCode, link, [
      element("p", {}, element("a", { href: link, class: "button" }, words.goLive)),
      copyable(words, words.phoneLink, link),
      element("p", { class: "hint" }, hint),
      ...onlyHere(words, link),
    ]),
  );
}

function viewers(words: OwnerWords, { watch }: Created): HTMLElement {
  const address = watch.page_url;
  return card(
    words.forViewers,
    withCode(words.watchCode, address, [
      element("p", {}, element("a", { href: address }, words.openWatch)),
      copyable(words, words.watchLink, address),
    ]),
  );
}

function site(words: OwnerWords, created: Created): HTMLElement {
  return card(words.embed, copyable(words, words.embedCode, embedCode(created, created.watch.page_url)), hint(words.embedHint));
}

function encoder(words: OwnerWords, { publish }: Created): HTMLElement {
  return publishCard(
    words.encoder,
    copyable(words, words.pushAddress, pushPlaylist(publish)),
    hint(words.secret),
    more(words.testPicture, copyable(words, words.testPictureLine, testPicture(publish))),
    withFfmpeg(words, publish),
    withObs(words, publish),
  );
}

function card(heading: string, ...content: HTMLElement[]): HTMLElement {
  return element("section", { class: "card links" }, element("h3", {}, heading), ...content);
}

/** One that is of use until the end. */
function publishCard(heading: string, ...content: HTMLElement[]): HTMLElement {
  const made = card(heading, ...content);
  made.classList.add("to-publish");
  return made;
}

function hint(text: string): HTMLElement {
  return element("p", { class: "hint" }, text);
}

function onlyHere(words: OwnerWords, address: string): HTMLElement[] {
  return isLoopback(address) ? [hint(words.onlyHere)] : [];
}

function withCode(label: string, address: string, content: HTMLElement[]): HTMLElement {
  const svg = new DOMParser().parseFromString(renderSVG(address, { border: 2 }), "image/svg+xml").documentElement;
  const code = element("div", { class: "qr", role: "img", "aria-label": label });
  code.append(document.importNode(svg, true));
  return element("div", { class: "watch-part" }, element("div", {}, ...content), code);
}
