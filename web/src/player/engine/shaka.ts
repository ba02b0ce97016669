/**
 * Shaka Player as an engine, for sites that use it anyway: theirs if they give it, else ours, loaded when it is needed.
 */
import { sessionHeaders } from "../cmcd";
import { OVER } from "../follow";
import type { Engine, EngineListener, EngineTask, Quality } from "../engine";
import type { Reading } from "../reading";

/** As much of Shaka 4 and 5 as is used here. */
export interface ShakaModule {
  Player: { new (): ShakaPlayer; isBrowserSupported(): boolean };
  polyfill: { installAll(): void };
}

interface ShakaTrack {
  id: number;
  active: boolean;
  height: number | null;
  bandwidth: number;
}

interface ShakaResponse {
  data: ArrayBuffer | ArrayBufferView;
  headers: Record<string, string>;
}

interface ShakaRequest {
  uris: string[];
  headers: Record<string, string>;
}

interface ShakaNetwork {
  registerRequestFilter(filter: (type: number, request: ShakaRequest) => void): void;
  registerResponseFilter(filter: (type: number, response: ShakaResponse) => void): void;
  /** `retry`: a request has failed, and will be made again unless the event is cancelled. */
  addEventListener(name: "retry", listener: (event: ShakaRetry) => void): void;
}

interface ShakaRetry extends Event {
  error?: ShakaError;
}

interface ShakaError {
  code: number;
  category: number;
  severity: number;
  data?: readonly unknown[];
}

interface ShakaPlayer {
  attach(video: HTMLVideoElement): Promise<unknown>;
  load(url: string, start_s?: number | null): Promise<unknown>;
  configure(settings: object): boolean;
  getVariantTracks(): ShakaTrack[];
  selectVariantTrack(track: ShakaTrack, clearBuffer?: boolean): void;
  seekRange(): { start: number; end: number };
  getNetworkingEngine(): ShakaNetwork | null;
  retryStreaming(after_s?: number): boolean;
  addEventListener(name: string, listener: (event: { detail: ShakaError }) => void): void;
  destroy(): Promise<unknown>;
}

/** shaka.net.NetworkingEngine.RequestType.MANIFEST */
const MANIFEST = 0;
const SEGMENT = 1;
/** shaka.util.Error.Category */
const NETWORK = 1;
const MEDIA = 3;
/** shaka.util.Error.Code: no answer, an answer that takes too long, and one with a bad status, with what its data tells. */
const OFFLINE: readonly number[] = [1002, 1003];
const BAD_STATUS = 1001;
const ADDRESS = 0;
const STATUS = 1;
const REQUEST_TYPE = 4;
const FATAL = 2;
const RETRY_MS = 2_000;
/** Enough attempts for any outage, all with the same pause: one that grows does so without bound here. */
const RETRIES = { maxAttempts: 1_000_000, baseDelay: 1_000, backoffFactor: 1, timeout: 30_000 };

export class ShakaEngine implements Engine {
  readonly name = "shaka";
  readonly tellsPlaylists = true;
  readonly staysAtLive = false;
  #quality: number | null = null;
  #isDestroyed = false;
  #loading: number | undefined;

  static async start(task: EngineTask, given: unknown): Promise<ShakaEngine> {
    const module = (given ?? (await import("shaka-player")).default) as ShakaModule;
    module.polyfill.installAll();
    const engine = new ShakaEngine(new module.Player(), task);
    engine.#begin().catch((error: ShakaError) => engine.#failed(error));
    return engine;
  }

  private constructor(
    readonly player: ShakaPlayer,
    private readonly task: EngineTask,
  ) {
    player.configure({
      manifest: { retryParameters: RETRIES },
      // Of itself Shaka gives up for good at a gap that nothing follows yet.
      streaming: { retryParameters: RETRIES, bufferBehind: 60, failureCallback: (error: ShakaError) => this.#stopped(error) },
    });
    player.addEventListener("error", ({ detail }) => this.#failed(detail));
  }

  destroy(): void {
    this.#isDestroyed = true;
    clearTimeout(this.#loading);
    void this.player.destroy();
  }

  retry(): void {
    this.player.retryStreaming();
  }

  offset_s(_reading: Reading): number {
    return this.player.seekRange().start;
  }

  get qualities(): readonly Quality[] {
    const tracks = this.player.getVariantTracks();
    return tracks.map(({ id, height, bandwidth }) => ({ id, height: height ?? 0, bits_per_s: bandwidth }));
  }

  get quality(): number | null {
    return this.#quality;
  }

  choose(quality: number | null): void {
    this.#quality = quality;
    this.player.configure({ abr: { enabled: quality === null } });
    const track = this.player.getVariantTracks().find(({ id }) => id === quality);
    if (track) this.player.selectVariantTrack(track, true);
  }

  async #begin(): Promise<void> {
    const { video, url, on } = this.task;
    await this.player.attach(video);
    const network = this.player.getNetworkingEngine();
    network?.registerRequestFilter((_type, { uris, headers }) => Object.assign(headers, sessionHeaders(uris[0] ?? url)));
    network?.registerResponseFilter((type, response) => tell(on, type, response));
    network?.addEventListener("retry", (event) => this.#retried(event));
    await this.#load(this.task.start_s);
  }

  async #load(start_s: number | null): Promise<void> {
    try {
      await this.player.load(this.task.url, start_s);
      if (!this.#isDestroyed) this.task.on.qualities();
    } catch (error) {
      if (this.#isDestroyed) return;
      this.#failed(error as ShakaError);
      this.#loadLater(start_s);
    }
  }

  #loadLater(start_s: number | null): void {
    this.#loading ??= window.setTimeout(() => {
      this.#loading = undefined;
      void this.#load(start_s);
    }, RETRY_MS);
  }

  /** Shaka says nothing of what it tries again, and tries again what is over, too. */
  #retried(event: ShakaRetry): void {
    const { error } = event;
    if (!error) return;
    this.#tell(error);
    if (!isOver(error)) return;
    event.preventDefault();
    // Dvr is the same from its beginning.
    this.#loadLater(this.task.video.currentTime);
  }

  #stopped({ category }: ShakaError): void {
    if (category === NETWORK) this.player.retryStreaming(RETRY_MS / 1000);
  }

  #failed(error: ShakaError): void {
    const { on } = this.task;
    on.error({ details: `shaka ${error.code}`, fatal: error.severity === FATAL });
    this.#tell(error);
    if (error.severity === FATAL && error.category === MEDIA) on.unplayable();
  }

  /** A segment that is not there says nothing about the network; nor does an entry that was waited for in vain. */
  #tell({ code, data }: ShakaError): void {
    if (OFFLINE.includes(code)) this.task.on.failure("offline");
    if (code !== BAD_STATUS) return;
    if (data?.[REQUEST_TYPE] === SEGMENT && Number(data[STATUS]) >= 500) this.task.on.segment("refused");
    if (data?.[REQUEST_TYPE] !== MANIFEST) return;
    if (Number(data[STATUS]) < 500) void this.task.on.doubt();
    else if (!String(data[ADDRESS]).includes("_HLS_msn=")) this.task.on.failure("server");
  }
}

function isOver({ code, data }: ShakaError): boolean {
  return code === BAD_STATUS && data?.[REQUEST_TYPE] === MANIFEST && data[STATUS] === OVER;
}

function tell(on: EngineListener, type: number, { data, headers }: ShakaResponse): void {
  if (type === SEGMENT) on.segment("came");
  if (type !== MANIFEST) return;
  const text = new TextDecoder().decode(data);
  // A Multivariant Playlist is none of these.
  if (text.includes("#EXT-X-TARGETDURATION")) on.playlist(text, headers["date"] ?? null);
}
