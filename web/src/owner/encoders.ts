/**
 * How to publish with a program instead of a browser: what to do, and lines to copy.
 */
import { element } from "../element";
import { copyable } from "./copyable";
import { type PushTo, camera, obsService } from "./recipes";
import type { OwnerWords } from "./words";

export function withFfmpeg(words: OwnerWords, to: PushTo): HTMLElement {
  return more(words.camera, copyable(words, words.cameraLine, camera(to)));
}

export function withObs(words: OwnerWords, to: PushTo): HTMLElement {
  const steps = [words.obsService, words.obsKeyframes, words.obsFile].map((step) => element("li", {}, step));
  return more(words.obs, element("ol", {}, ...steps), copyable(words, words.obsFileName, obsService(to)));
}

/** What is shown to whoever opens it. */
export function more(summary: string, ...content: HTMLElement[]): HTMLDetailsElement {
  return element("details", {}, element("summary", {}, summary), ...content);
}
