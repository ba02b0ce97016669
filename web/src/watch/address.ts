/**
 * What the address of a watch or embed page asks for. Pure.
 */
import type { EngineChoice } from "../player/engine";
import { momentIn } from "../player/moment";

export interface Asked {
  id: string;
  /** Where the broadcast's playlists are, on the page's own server. */
  source: string;
  engine: EngineChoice;
  at_ms: number | null;
  /** `?autoplay=0` or `1`; null if it says nothing. */
  autoplay: boolean | null;
  muted: boolean;
}

/** Of an address like `/watch/{id}?engine=native&t=…`. */
export function askedBy({ pathname, search }: { pathname: string; search: string }): Asked {
  const id = decodeURIComponent(/^\/(?:watch|embed)\/([^/]+)/.exec(pathname)?.[1] ?? "");
  const given = new URLSearchParams(search);
  const engine = ENGINES.find((name) => name === given.get("engine")) ?? "auto";
  return {
    id,
    source: `/hls/${encodeURIComponent(id)}/index.m3u8`,
    engine,
    at_ms: momentIn(search),
    autoplay: flag(given.get("autoplay")),
    muted: flag(given.get("muted")) ?? false,
  };
}

const ENGINES: readonly EngineChoice[] = ["hls.js", "native", "shaka"];

function flag(value: string | null): boolean | null {
  return value === "1" || value === "true" ? true : value === "0" || value === "false" ? false : null;
}
