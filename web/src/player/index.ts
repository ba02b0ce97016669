/**
 * @headwater/player: plays a Headwater broadcast in an element of any page, and always says what is going on.
 *
 *     import { createPlayer } from "@headwater/player";
 *     import "@headwater/player/player.css";
 *     const player = createPlayer(document.querySelector("#player"), { source: "https://…/hls/{id}/index.m3u8" });
 */
import "./player.css";
import type { PlayerOptions } from "./options";
import { Player } from "./player";

export function createPlayer(root: HTMLElement, options: PlayerOptions): Player {
  return new Player(root, options);
}

export type { Language } from "../language";
export type { EngineChoice, EngineError, EngineName } from "./engine";
export type { PlayerOptions } from "./options";
export type { Player, PlayerState } from "./player";
