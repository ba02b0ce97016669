/**
 * hls.js as an engine. Its light build is enough unless sound or captions have playlists of their own.
 */
import type Hls from "hls.js";
import type { ErrorData, Fragment, LoadPolicy } from "hls.js";
import workerPath from "hls.js/dist/hls.worker.js?url";
import { openInSession } from "../cmcd";
import { OVER } from "../follow";
import type { Engine, EngineListener, EngineTask, Quality } from "../engine";
import type { Reading } from "../reading";
import { answerLimit_ms } from "../standing";

/** What was played stays at hand for this long, so that memory does not grow with the broadcast. */
const BACK_BUFFER_S = 60;
const RETRY_MS = 500;
const RETRY_MS_MAX = 3_000;
/** After hls.js has given up. */
const RESTART_MS = 2_000;
/** Media errors in a row that are worth another try. */
const RECOVERIES_MAX = 5;

const FOREVER = { maxNumRetry: Number.MAX_SAFE_INTEGER, retryDelayMs: RETRY_MS, maxRetryDelayMs: RETRY_MS_MAX };
/** What comes of a playlist after its first byte. */
const PLAYLIST_BODY_MS = 15_000;
const SEGMENTS: LoadPolicy = {
  default: { maxTimeToFirstByteMs: 10_000, maxLoadTimeMs: 120_000, timeoutRetry: FOREVER, errorRetry: FOREVER },
};

function playlists(target_s: number): LoadPolicy {
  const maxTimeToFirstByteMs = answerLimit_ms(target_s);
  const maxLoadTimeMs = maxTimeToFirstByteMs + PLAYLIST_BODY_MS;
  return { default: { maxTimeToFirstByteMs, maxLoadTimeMs, timeoutRetry: FOREVER, errorRetry: FOREVER } };
}

type Build = typeof import("hls.js");

export class HlsEngine implements Engine {
  readonly name = "hls.js";
  readonly tellsPlaylists = true;
  readonly staysAtLive = false;
  readonly #on: EngineListener;
  #restart: number | undefined;
  #recoveries = 0;

  /** Null where hls.js cannot run. */
  static async start(task: EngineTask): Promise<HlsEngine | null> {
    const build: Build = task.hasMedia ? await import("hls.js") : await import("hls.js/light");
    return build.default.isSupported() ? new HlsEngine(build, task) : null;
  }

  readonly hls: Hls;

  private constructor(build: Build, { video, url, start_s, on }: EngineTask) {
    this.#on = on;
    const { Events } = build;
    this.hls = new build.default({
      workerPath,
      backBufferLength: BACK_BUFFER_S,
      startPosition: start_s ?? -1,
      xhrSetup: openInSession,
      manifestLoadPolicy: playlists(0),
      playlistLoadPolicy: playlists(0),
      fragLoadPolicy: SEGMENTS,
    });
    this.hls.on(Events.ERROR, (_event, data) => this.#failed(data, build));
    this.hls.on(Events.MANIFEST_PARSED, () => on.qualities());
    this.hls.on(Events.LEVEL_LOADED, (_event, { details, networkDetails }) => {
      this.hls.config.playlistLoadPolicy = playlists(details.targetduration);
      const date = networkDetails instanceof XMLHttpRequest ? networkDetails.getResponseHeader("Date") : null;
      on.playlist(details.m3u8, date);
    });
    this.hls.on(Events.FRAG_LOADED, () => on.segment("came"));
    this.hls.on(Events.FRAG_BUFFERED, () => (this.#recoveries = 0));
    this.hls.loadSource(url);
    this.hls.attachMedia(video);
  }

  destroy(): void {
    clearTimeout(this.#restart);
    this.hls.destroy();
  }

  retry(): void {
    clearTimeout(this.#restart);
    if (this.hls.levels.length === 0) {
      if (this.hls.url) this.hls.loadSource(this.hls.url);
      return;
    }
    this.hls.stopLoad();
    this.hls.startLoad(this.hls.media?.currentTime || -1);
  }

  offset_s({ entries }: Reading, position_s: number): number {
    const fragment = fragmentAt(this.hls.latestLevelDetails?.fragments ?? [], position_s);
    const first = entries[0];
    const entry = first && fragment ? entries[fragment.sn as number - first.msn] : undefined;
    return entry && fragment ? fragment.start - entry.from_s : 0;
  }

  get qualities(): readonly Quality[] {
    return this.hls.levels.map(({ height, bitrate }, id) => ({ id, height, bits_per_s: bitrate }));
  }

  get quality(): number | null {
    return this.hls.autoLevelEnabled ? null : this.hls.manualLevel;
  }

  choose(quality: number | null): void {
    this.hls.nextLevel = quality ?? -1;
  }

  /** The broadcast goes on at other addresses, which the Multivariant Playlist names. hls.js would try each quality, and
   * then give up. Dvr is the same from its beginning; a window begins anywhere. */
  #moveOn(): void {
    const { hls } = this;
    hls.config.startPosition = hls.latestLevelDetails?.type === "EVENT" ? (hls.media?.currentTime ?? -1) : -1;
    clearTimeout(this.#restart);
    this.#restart = window.setTimeout(() => {
      if (hls.url) hls.loadSource(hls.url);
    }, RETRY_MS);
  }

  #failed(data: ErrorData, { ErrorTypes, ErrorDetails }: Build): void {
    this.#on.error({ details: data.details, fatal: data.fatal });
    if (data.details === ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR) return this.#on.unplayable();
    const status = data.response?.code;
    if (data.type === ErrorTypes.NETWORK_ERROR && status !== undefined) {
      // A segment that is not there says nothing about the network, and to have waited in vain for the next entry
      // nothing about the server: hls.js asks again without waiting.
      const waited = data.context?.deliveryDirectives?.msn !== undefined;
      if (status === 0) this.#on.failure("offline");
      else if (data.frag !== undefined && status >= 500) this.#on.segment("refused");
      else if (data.frag === undefined && status >= 500 && !waited) this.#on.failure("server");
      else if (data.frag === undefined && status >= 400 && status < 500) void this.#on.doubt();
    }
    if (status === OVER) return this.#moveOn();
    if (!data.fatal) return;
    if (data.type === ErrorTypes.MEDIA_ERROR && this.#recoveries < RECOVERIES_MAX) {
      this.#recoveries += 1;
      this.hls.recoverMediaError();
    } else if (data.type === ErrorTypes.MEDIA_ERROR) {
      this.#on.unplayable();
    } else {
      clearTimeout(this.#restart);
      this.#restart = window.setTimeout(() => this.retry(), RESTART_MS);
    }
  }
}

/** The fragment at a position, or the nearest one before it. */
function fragmentAt(fragments: readonly Fragment[], position_s: number): Fragment | undefined {
  let [low, high] = [0, fragments.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((fragments[middle]?.start ?? Infinity) <= position_s) low = middle + 1;
    else high = middle;
  }
  return fragments[Math.max(0, low - 1)];
}
