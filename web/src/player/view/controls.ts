/**
 * The bar under the picture: what can be pressed, and how far behind live it is.
 */
import { element } from "../../element";
import { type Language, clock } from "../../language";
import { atLive, nameOf } from "../at-live";
import type { Playback } from "../playback";
import { length_s } from "../reading";
import { isBehind } from "../rejoin";
import type { Words } from "../words";
import { IconButton, put, reveal } from "./parts";
import { TimelineView } from "./timeline";

/** What the buttons do that concerns more than playing. */
export interface Wishes {
  togglePlay(): void;
  toggleCaptions(): void;
  toggleMenu(): void;
  toggleFullscreen(): void;
  togglePictureInPicture(): void;
  share(): void;
  help(): void;
}

export class Controls {
  readonly root = element("div", { class: "hw-bar" });
  readonly timeline: TimelineView;
  readonly menuButton: IconButton;
  readonly #play: IconButton;
  readonly #live = element("button", { type: "button", class: "hw-live" });
  readonly #liveText = element("span");
  /** First the position, then the whole: also where the rest is written from right to left. */
  readonly #time = element("span", { class: "hw-time", dir: "ltr" });
  readonly #mute: IconButton;
  readonly #volume: HTMLInputElement;
  readonly #captions: IconButton;
  readonly #share: IconButton;
  readonly #pip: IconButton;
  readonly #full: IconButton;

  constructor(
    private readonly playback: Playback,
    private readonly words: Words,
    language: Language,
    private readonly canShare: boolean,
    wishes: Wishes,
    signal: AbortSignal,
  ) {
    const { video } = playback;
    this.timeline = new TimelineView(playback, words, language, signal);
    this.#play = new IconButton("play", words.play, wishes.togglePlay, signal);
    this.#live.append(element("span", { class: "hw-dot", "aria-hidden": "true" }), this.#liveText);
    this.#live.addEventListener("click", () => playback.jumpToLive(), { signal });
    this.#mute = new IconButton("sound", words.mute, () => playback.sound.setMuted(!video.muted), signal);
    this.#volume = element("input", { type: "range", class: "hw-volume", min: "0", max: "1", step: "0.05" });
    this.#volume.setAttribute("aria-label", words.volume);
    const setVolume = () => {
      playback.sound.setVolume(Number(this.#volume.value));
      // A screen reader says it now, and what was changed is told later.
      this.#showVolume();
    };
    this.#volume.addEventListener("input", setVolume, { signal });
    this.#captions = new IconButton("captions", words.captionsOn, wishes.toggleCaptions, signal);
    this.#share = new IconButton("share", words.share, wishes.share, signal);
    this.menuButton = new IconButton("settings", words.settings, wishes.toggleMenu, signal);
    const help = new IconButton("help", words.help, wishes.help, signal);
    help.root.classList.add("hw-wide-only");
    this.#pip = new IconButton("small", words.pictureInPicture, wishes.togglePictureInPicture, signal);
    this.#full = new IconButton("full", words.fullscreen, wishes.toggleFullscreen, signal);
    this.#pip.root.classList.add("hw-phone-last");
    this.#share.root.classList.add("hw-small-last");
    const left = [this.#play.root, this.#live, this.#time];
    const sound = element("div", { class: "hw-sound-part" }, this.#mute.root, this.#volume);
    const right = [sound, this.#captions, this.#share, help, this.menuButton, this.#pip, this.#full];
    const row = element("div", { class: "hw-buttons" }, ...left, element("span", { class: "hw-space" }));
    row.append(...right.map((part) => (part instanceof IconButton ? part.root : part)));
    this.root.append(this.timeline.root, row);
  }

  show(): void {
    const { playback, words } = this;
    const { video } = playback;
    this.timeline.show();
    if (playback.wantsToPlay && !playback.hasEnded) this.#play.show("pause", words.pause);
    else this.#play.show("play", words.play);
    this.#showLive();
    this.#showTime();
    if (video.muted) this.#mute.show("silent", words.unmute);
    else this.#mute.show("sound", words.mute);
    this.#showVolume();
    this.#showCaptions();
    reveal(this.#share.root, this.canShare && playback.moment_ms !== null);
    reveal(this.#pip.root, document.pictureInPictureEnabled === true);
    if (document.fullscreenElement) this.#full.show("unfull", words.leaveFullscreen);
    else this.#full.show("full", words.fullscreen);
  }

  #showVolume(): void {
    const { video } = this.playback;
    const volume = video.muted ? 0 : video.volume;
    this.#volume.value = String(volume);
    this.#volume.setAttribute("aria-valuetext", this.words.percent(Math.round(volume * 100)));
  }

  #showLive(): void {
    const { playback, words } = this;
    // While it catches up, the same button is at the top.
    reveal(this.#live, playback.isLive && playback.following.kind !== "catching-up" && playback.picture !== "none");
    const state = atLive(this.#isAtLive(), playback.knowledge);
    this.#live.dataset["live"] = state;
    put(this.#liveText, state === "behind" ? words.jumpToLive : words.live);
    const name = nameOf(state, words);
    if (name === null) this.#live.removeAttribute("aria-label");
    else this.#live.setAttribute("aria-label", name);
  }

  #isAtLive(): boolean {
    const { following, behind_s, feed } = this.playback;
    return following.kind === "live" && !(feed?.playing && isBehind(behind_s ?? 0, feed.playing));
  }

  /** Beside the way to live, how far behind is a number: there is no room for words, and they must not hide it. */
  #showTime(): void {
    const behind_s = this.#behindShown_s();
    put(this.#time, behind_s === null ? this.#position() : `−${clock(behind_s)}`);
    const title = behind_s === null ? "" : this.words.behind(clock(behind_s));
    if (this.#time.title !== title) this.#time.title = title;
  }

  #position(): string {
    const { playback } = this;
    const reading = playback.feed?.playing;
    if (!reading || playback.picture === "none" || playback.isLive) return "";
    return `${clock(playback.position_s)} / ${clock(length_s(reading))}`;
  }

  /** Null at live, and while what is over the picture says it. */
  #behindShown_s(): number | null {
    const { picture, isLive, following, behind_s } = this.playback;
    if (picture === "none" || !isLive || behind_s === null || behind_s < 1) return null;
    return this.#isAtLive() || following.kind === "catching-up" ? null : behind_s;
  }

  #showCaptions(): void {
    const { areThere, areShown } = this.playback.captions;
    reveal(this.#captions.root, areThere);
    this.#captions.show("captions", areShown ? this.words.captionsOff : this.words.captionsOn);
    this.#captions.root.setAttribute("aria-pressed", String(areShown));
  }
}
