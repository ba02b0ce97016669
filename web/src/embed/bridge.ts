/**
 * Carries messages between an embedded player and the site around it.
 */
import type { Player, PlayerState } from "../player";
import { type Command, type Event, VERSION, heightAt, readCommand, siteOrigin, stateKey } from "./messages";

const TIME_MS = 1_000;

export class Bridge {
  readonly #listening = new AbortController();
  readonly #origin: string | null;
  readonly #quit: () => void;
  readonly #sizes: ResizeObserver;
  #height = 0;
  #stateKey = "";
  #timeSaid_ms = 0;
  #hasEnded = false;

  constructor(
    private readonly player: Player,
    private readonly frame: Window,
    search: string,
    referrer: string,
  ) {
    const { ancestorOrigins } = frame.location as Location & { ancestorOrigins?: DOMStringList };
    this.#origin = siteOrigin(search, ancestorOrigins?.[0], referrer);
    frame.addEventListener("message", (message) => this.#heard(message), { signal: this.#listening.signal });
    this.#quit = player.onState((state) => this.#tell(state));
    // A phone that is turned changes the picture's shape, and not the frame's.
    player.video.addEventListener("resize", () => this.#tellHeight(), { signal: this.#listening.signal });
    this.#sizes = new ResizeObserver(() => this.#tellHeight());
    this.#sizes.observe(document.documentElement);
    this.#say({ event: "ready", versions: [VERSION] });
    this.#tell(player.state);
  }

  destroy(): void {
    this.#listening.abort();
    this.#quit();
    this.#sizes.disconnect();
  }

  #heard({ source, origin, data }: MessageEvent): void {
    if (source !== this.frame.parent || origin !== this.#origin) return;
    const command = readCommand(data);
    if (command) this.#do(command);
  }

  #do(command: Command): void {
    const { player } = this;
    switch (command.command) {
      case "play":
        return player.play();
      case "pause":
        return player.pause();
      case "mute":
        return player.setMuted(true);
      case "unmute":
        return player.setMuted(false);
      case "jumpToLive":
        return player.jumpToLive();
      case "watchMissed":
        return player.watchMissed();
      case "seek":
        return player.seek(command.position_s);
    }
  }

  #tell(state: PlayerState): void {
    const key = stateKey(state);
    if (key !== this.#stateKey) {
      this.#stateKey = key;
      this.#say({ event: "state", state });
    }
    const now_ms = Date.now();
    if (state.isPlaying && now_ms - this.#timeSaid_ms >= TIME_MS) {
      this.#timeSaid_ms = now_ms;
      const { position_s, duration_s, behind_s, moment_ms } = state;
      this.#say({ event: "time", position_s, duration_s, behind_s, moment_ms });
    }
    if (state.hasEnded && !this.#hasEnded) this.#say({ event: "ended" });
    this.#hasEnded = state.hasEnded;
  }

  /** Once for each height: a site that follows it changes our frame, which asks again. */
  #tellHeight(): void {
    const height = heightAt(this.frame.innerWidth, this.player.video);
    if (height === this.#height) return;
    this.#height = height;
    this.#say({ event: "height", height });
  }

  #say(event: Event): void {
    const { parent } = this.frame;
    if (parent === this.frame) return;
    const isForAll = event.event === "ready" || event.event === "height";
    const to = this.#origin ?? (isForAll ? "*" : null);
    if (to !== null) parent.postMessage({ headwater: VERSION, ...event }, to);
  }
}
