/**
 * Which key does what. Pure.
 */

export type Command =
  | { kind: "toggle-play" }
  | { kind: "mute" }
  | { kind: "fullscreen" }
  | { kind: "picture-in-picture" }
  | { kind: "captions" }
  | { kind: "live" }
  | { kind: "help" }
  | { kind: "skip"; seconds: number }
  | { kind: "volume"; by: number }
  | { kind: "speed"; by: 1 | -1 }
  /** To a part of the whole, 0 to 0.9. */
  | { kind: "part"; part: number };

/** How far one press of an arrow goes. */
export const SKIP_S = 10;
const VOLUME_STEP = 0.1;

interface Press {
  key: string;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

/** What a key means on the player; null for those that are somebody else's. Arrows follow the picture's time. */
export function commandOf({ key, ctrlKey, altKey, metaKey }: Press): Command | null {
  if (ctrlKey || altKey || metaKey) return null;
  if (/^[0-9]$/.test(key)) return { kind: "part", part: Number(key) / 10 };
  return COMMANDS.get(key.length === 1 ? key.toLowerCase() : key) ?? null;
}

const COMMANDS = new Map<string, Command>([
  [" ", { kind: "toggle-play" }],
  ["k", { kind: "toggle-play" }],
  ["m", { kind: "mute" }],
  ["f", { kind: "fullscreen" }],
  ["p", { kind: "picture-in-picture" }],
  ["c", { kind: "captions" }],
  ["l", { kind: "live" }],
  ["?", { kind: "help" }],
  ["ArrowLeft", { kind: "skip", seconds: -SKIP_S }],
  ["ArrowRight", { kind: "skip", seconds: SKIP_S }],
  ["ArrowUp", { kind: "volume", by: VOLUME_STEP }],
  ["ArrowDown", { kind: "volume", by: -VOLUME_STEP }],
  [">", { kind: "speed", by: 1 }],
  ["<", { kind: "speed", by: -1 }],
]);
