/**
 * What is said where nothing can be recorded: why, what to do, and how to broadcast all the same.
 */
import { element } from "../../element";
import { withFfmpeg, withObs } from "../../owner/encoders";
import { type PushTo, camera } from "../../owner/recipes";
import type { OwnerWords } from "../../owner/words";
import type { Link } from "../address";
import type { Missing } from "../model";
import type { Words } from "../words";

export function unsupported(missing: Missing, words: Words, ways: HTMLElement): HTMLElement {
  const https = "headwater up --listen 0.0.0.0:8443 --tls-self-signed";
  return element(
    "section",
    { class: "unsupported" },
    element("h1", {}, words.unsupportedTitle),
    element("p", {}, words.unsupported(missing)),
    element("p", {}, words.unsupportedDo(missing)),
    ...(missing === "secure-context" ? [code(https)] : []),
    ways,
  );
}

/** How to broadcast without this browser: with a link all is filled in, without one it is told where to find it. */
export function otherWays(words: Words, ofOwner: OwnerWords, link: Link | null): HTMLElement[] {
  const to = pushTo(link?.token ?? "TOKEN");
  const ways =
    link === null
      ? [element("p", {}, words.ffmpegWay), code(camera(to)), element("p", {}, words.obsWay)]
      : [withFfmpeg(ofOwner, to), withObs(ofOwner, to)];
  return [element("h2", {}, words.otherWays), ...ways];
}

function pushTo(token: string): PushTo {
  return { token, push_url: `${location.origin}/push/${token}/` };
}

function code(text: string): HTMLElement {
  return element("pre", { tabindex: "0" }, element("code", {}, text));
}
