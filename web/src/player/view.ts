/**
 * What the player draws: the picture, what is said over it, and the controls. It decides nothing about playing.
 */
import { element } from "../element";
import type { Language } from "../language";
import { type Command, commandOf } from "./keys";
import { type Action, type Message, messageFor } from "./message";
import { linkAt } from "./moment";
import { type Seen, newsSince, seenNow } from "./news";
import type { PlayerOptions } from "./options";
import type { Playback } from "./playback";
import { length_s } from "./reading";
import { posterOf } from "./source";
import { Announcer } from "./view/announcer";
import { Controls } from "./view/controls";
import { Freeze } from "./view/freeze";
import { listenForGestures } from "./view/gestures";
import { Help } from "./view/help";
import { icon } from "./view/icons";
import { Menu, SPEEDS } from "./view/menu";
import { CatchingUpView, MessageView, OfferView } from "./view/message";
import { reveal, wordButton } from "./view/parts";
import { Share } from "./view/share";
import type { Words } from "./words";

/** Controls go when nothing has moved for this long. */
const IDLE_MS = 3_000;
const POSTER_WIDTH = 640;
/** Messages under which the newest picture can lie when there is no other. */
const COVERED: readonly Message["kind"][] = ["interrupted", "paused", "ended"];

export class PlayerView {
  readonly root: HTMLElement;
  readonly #freeze: Freeze;
  readonly #poster = element("img", { class: "hw-poster", alt: "", hidden: true });
  readonly #surface = element("div", { class: "hw-surface" });
  readonly #start = element("button", { type: "button", class: "hw-start", hidden: true });
  readonly #sound: HTMLButtonElement;
  readonly #message: MessageView;
  readonly #catchingUp: CatchingUpView;
  readonly #offer: OfferView;
  readonly #controls: Controls;
  readonly #menu: Menu;
  readonly #help: Help;
  readonly #share: Share;
  readonly #announcer = new Announcer();
  readonly #listening = new AbortController();
  #idle: number | undefined;
  #seen: Seen = { message: null, isOffered: false, following: "live" };

  constructor(
    readonly video: HTMLVideoElement,
    private readonly playback: Playback,
    private readonly words: Words,
    language: Language,
    private readonly options: PlayerOptions,
  ) {
    const { signal } = this.#listening;
    this.#freeze = new Freeze(video, signal);
    this.#message = new MessageView(words, (action) => this.#act(action), signal);
    this.#catchingUp = new CatchingUpView(words, () => playback.jumpToLive(), signal);
    const offered = { take: () => playback.watchMissed(), decline: () => this.#decline() };
    this.#offer = new OfferView(words, offered, signal);
    this.#sound = wordButton(words.tapForSound, "main", () => playback.sound.setMuted(false), signal);
    this.#sound.classList.add("hw-tap");
    this.#sound.prepend(icon("silent"));
    this.#start.setAttribute("aria-label", words.play);
    this.#start.append(icon("play"));
    this.#start.addEventListener("click", () => playback.play(), { signal });
    this.#menu = new Menu(playback, words, signal, () => this.#toggleMenu(false));
    this.#help = new Help(words, signal);
    this.#share = new Share(words, (text) => this.#announcer.say([text]), signal);
    const canShare = options.shareUrl !== undefined;
    this.#controls = new Controls(playback, words, language, canShare, this.#wishes(), signal);
    this.#controls.menuButton.root.setAttribute("aria-expanded", "false");
    this.root = element("div", { class: "hw-player", role: "region", "aria-label": words.player, lang: language });
    this.#assemble();
    this.#listen();
  }

  destroy(): void {
    clearTimeout(this.#idle);
    this.#listening.abort();
    this.#announcer.destroy();
    this.root.remove();
  }

  /** The picture is about to change its source. */
  hold(): void {
    this.#freeze.take();
  }

  show(): void {
    const { playback, words } = this;
    const { picture, video, missed, sound } = playback;
    // Nothing is loading for a viewer who has not asked for it.
    const isUnasked = !playback.wantsToPlay && playback.feed === null && playback.addresses !== null;
    const message = isUnasked ? null : this.#messageNow();
    this.root.dataset["picture"] = picture;
    this.root.dataset["following"] = playback.following.kind;
    this.root.dataset["message"] = message?.kind ?? "none";
    this.#message.show(message, playback.now_ms);
    const isCatchingUp = playback.following.kind === "catching-up" && message?.weight !== "card";
    this.#catchingUp.show(isCatchingUp ? playback.behind_s : null);
    if (picture !== "moving") this.root.classList.remove("hw-idle");
    // A card has the word; the offer waits.
    const offered = message?.weight === "card" && message.kind !== "buffering" ? null : missed;
    this.#offer.show(offered);
    const waitsForPress = !playback.wantsToPlay && picture !== "ended" && playback.addresses !== null;
    reveal(this.#start, sound.needsPress || (waitsForPress && video.played.length === 0));
    const isHeard = (picture === "moving" || picture === "standing") && message?.weight !== "card";
    reveal(this.#sound, sound.silenced === "by-browser" && isHeard);
    this.#askForPoster(isUnasked || (picture === "none" && message !== null && COVERED.includes(message.kind)));
    reveal(this.#poster, this.#poster.naturalWidth > 0 && (picture === "none" || !this.#start.hidden));
    reveal(this.#controls.root, playback.feed !== null);
    this.#controls.show();
    this.#menu.show(this.#controls.timeline.late);
    const seen = seenNow(message, offered, playback.following);
    this.#announcer.say(newsSince(this.#seen, seen, message, offered, words));
    this.#seen = seen;
  }

  /** What a key means here; true if it was one of ours. */
  press(event: KeyboardEvent): boolean {
    const { target } = event;
    if (event.key === "Escape" && this.#menu.isOpen) {
      this.#toggleMenu(false);
      return true;
    }
    if (target instanceof HTMLElement && target.closest("select, textarea, input:not([type=range])")) return false;
    if (this.#help.root.open && event.key !== "?") return false;
    const command = commandOf(event);
    if (!command || isOwnKey(target, event.key)) return false;
    this.#do(command);
    this.#wake();
    return true;
  }

  #assemble(): void {
    const { titleLink } = this.options;
    const top = element("div", { class: "hw-top" }, this.#message.line, this.#catchingUp.root, this.#sound, this.#share.root);
    if (titleLink) {
      top.prepend(element("a", { class: "hw-link", dir: "auto", href: titleLink.url, target: "_blank", rel: "noopener" }, titleLink.text));
    }
    const middle = element("div", { class: "hw-middle" }, this.#message.card);
    const low = element("div", { class: "hw-low" }, this.#offer.root, this.#menu.root);
    const bottom = element("div", { class: "hw-bottom" }, low, this.#controls.root);
    this.root.append(this.video, this.#freeze.root, this.#poster, this.#surface, top, middle, this.#start, bottom);
    this.root.append(this.#help.root, this.#announcer.root);
  }

  #listen(): void {
    const { signal } = this.#listening;
    const { root, playback } = this;
    const skip = (seconds: number) => playback.seek(playback.position_s + seconds);
    const { togglePlay, toggleFullscreen } = this.#wishes();
    const toggleControls = () => (root.classList.contains("hw-idle") ? this.#wake() : this.#sleep());
    listenForGestures(this.#surface, { togglePlay, toggleFullscreen, skip, toggleControls }, signal);
    root.addEventListener("keydown", (event) => {
      if (this.press(event)) event.preventDefault();
    }, { signal });
    root.addEventListener("pointermove", (event) => event.pointerType !== "touch" && this.#wake(), { signal });
    root.addEventListener("focusin", () => this.#wake(), { signal });
    const { root: bar, timeline } = this.#controls;
    bar.addEventListener("pointerdown", () => this.#wake(), { signal });
    timeline.input.addEventListener("input", () => this.#wake(), { signal });
    root.addEventListener("pointerdown", (event) => {
      const inMenu = event.target instanceof Node && this.#menu.root.contains(event.target);
      const onButton = event.target instanceof Node && this.#controls.menuButton.root.contains(event.target);
      if (this.#menu.isOpen && !inMenu && !onButton) this.#toggleMenu(false);
    }, { signal });
    document.addEventListener("fullscreenchange", () => this.show(), { signal });
    for (const event of ["loadedmetadata", "resize"]) this.video.addEventListener(event, () => this.#fit(), { signal });
    this.#poster.addEventListener("load", () => this.#fit(), { signal });
    this.#wake();
  }

  /** Takes the shape of a picture that is upright, as far as that is known. */
  #fit(): void {
    const { videoWidth, videoHeight } = this.video;
    const { naturalWidth, naturalHeight } = this.#poster;
    const [width, height] = videoWidth > 0 ? [videoWidth, videoHeight] : [naturalWidth, naturalHeight];
    if (width === 0) return;
    this.root.classList.toggle("hw-upright", height > width);
    this.root.style.setProperty("--hw-shape", `${width} / ${height}`);
  }

  #wishes() {
    const { playback } = this;
    return {
      togglePlay: () => (playback.wantsToPlay && !playback.hasEnded ? playback.pause() : playback.play()),
      toggleCaptions: () => {
        playback.captions.toggle();
        this.show();
      },
      toggleMenu: () => this.#toggleMenu(!this.#menu.isOpen),
      toggleFullscreen: () => void this.#toggleFullscreen(),
      togglePictureInPicture: () => void this.#togglePictureInPicture(),
      share: () => void this.#shareMoment(),
      help: () => this.#help.toggle(),
    };
  }

  #messageNow(): Message | null {
    const { playback } = this;
    const { knowledge, picture, isUnplayable, isRenewed, waitsAtHole, following, feed, sound } = playback;
    const isAtLive = following.kind !== "free" && (following.kind === "live" || (playback.behind_s ?? 0) < 1);
    const isRecording = feed?.source.kind === "vod";
    const hasSource = playback.addresses !== null;
    const shouldPlay = playback.wantsToPlay && !sound.needsPress;
    const seen = { knowledge, picture, shouldPlay, isUnplayable, isRenewed, waitsAtHole, isAtLive, hasSource, isRecording };
    return messageFor(seen, this.words);
  }

  #act(action: Action): void {
    const { playback } = this;
    switch (action) {
      case "jump-to-live":
        return playback.jumpToLive();
      case "watch-missed":
        return playback.watchMissed();
      case "watch-recording":
      case "watch-from-start":
        return playback.watchRecording();
      case "reload":
        // In a frame, the frame.
        return location.reload();
    }
  }

  #do(command: Command): void {
    const { playback, video } = this;
    const wishes = this.#wishes();
    switch (command.kind) {
      case "toggle-play":
        return wishes.togglePlay();
      case "mute":
        return playback.sound.setMuted(!video.muted);
      case "fullscreen":
        return wishes.toggleFullscreen();
      case "picture-in-picture":
        return wishes.togglePictureInPicture();
      case "captions":
        return wishes.toggleCaptions();
      case "live":
        return playback.isLive ? playback.jumpToLive() : undefined;
      case "help":
        return wishes.help();
      case "skip":
        return playback.seek(playback.position_s + command.seconds);
      case "volume":
        return playback.sound.setVolume(video.volume + command.by);
      case "speed": {
        const index = SPEEDS.findIndex((speed) => speed >= playback.speed) + command.by;
        return playback.setSpeed(SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, index))] ?? 1);
      }
      case "part":
        return playback.seek(command.part * (playback.feed?.playing ? length_s(playback.feed.playing) : 0));
    }
  }

  #decline(): void {
    const { missed } = this.playback;
    if (missed) this.playback.settle(missed);
  }

  #toggleMenu(isOpen: boolean): void {
    const button = this.#controls.menuButton.root;
    const hadFocus = this.#menu.root.contains(document.activeElement);
    this.#menu.toggle(isOpen);
    this.#menu.show(this.#controls.timeline.late);
    if (isOpen) this.#menu.toggle(true);
    button.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen && hadFocus) button.focus();
  }

  async #toggleFullscreen(): Promise<void> {
    if (document.fullscreenElement) return document.exitFullscreen();
    // An iPhone only enlarges the video itself.
    const native = this.video as HTMLVideoElement & { webkitEnterFullscreen?: () => void };
    if (document.fullscreenEnabled) await this.root.requestFullscreen().catch(() => undefined);
    else native.webkitEnterFullscreen?.();
  }

  async #togglePictureInPicture(): Promise<void> {
    if (document.pictureInPictureElement) return document.exitPictureInPicture();
    // Refused where there is no picture yet.
    await this.video.requestPictureInPicture?.().catch(() => undefined);
  }

  async #shareMoment(): Promise<void> {
    const { shareUrl } = this.options;
    if (shareUrl !== undefined) await this.#share.share(linkAt(shareUrl, this.playback.moment_ms));
  }

  /** Once. Where the picture comes by itself it is there sooner than a poster. */
  #askForPoster(isWanted: boolean): void {
    if (!isWanted || this.#poster.src !== "") return;
    const url = posterOf(this.options.source, POSTER_WIDTH);
    if (url) this.#poster.src = url;
  }

  #wake(): void {
    this.root.classList.remove("hw-idle");
    clearTimeout(this.#idle);
    this.#idle = window.setTimeout(() => this.#sleep(), IDLE_MS);
  }

  #sleep(): void {
    const isOpen = this.#menu.isOpen || this.#help.root.open;
    const isUsed = isOpen || this.#controls.timeline.isDragging || this.root.querySelector(".hw-bar :focus-visible") !== null;
    if (!isUsed && this.playback.picture === "moving") this.root.classList.add("hw-idle");
    else this.#wake();
  }
}

/** Keys that the focused control wants for itself. */
function isOwnKey(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.matches("button, a, summary")) return key === " " || key === "Enter";
  return target.matches(".hw-volume") && key.startsWith("Arrow");
}

