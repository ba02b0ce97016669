/**
 * What a page shows of its player to tests, and to reports of defects from the browser's console.
 */
import type Hls from "hls.js";
import type { Player } from "../player";
import type { Engine } from "../player/engine";
import type { HlsEngine } from "../player/engine/hls-js";

declare global {
  interface Window {
    headwater?: {
      readonly player: Player;
      readonly video: HTMLVideoElement;
      readonly hls: Hls | null;
      readonly errors: Player["errors"];
    };
  }
}

export function expose(player: Player): void {
  window.headwater = {
    player,
    video: player.video,
    get hls() {
      return isHls(player.engine) ? player.engine.hls : null;
    },
    get errors() {
      return player.errors;
    },
  };
}

/** By its name: its code is loaded only where it plays. */
function isHls(engine: Engine | null): engine is HlsEngine {
  return engine?.name === "hls.js";
}
