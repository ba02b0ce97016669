/** What browsers have, and TypeScript's DOM library does not know (or knows of workers only). */

interface FileSystemSyncAccessHandle {
  write(bytes: BufferSource, options?: { at?: number }): number;
  truncate(length: number): void;
  flush(): void;
  close(): void;
}

interface FileSystemFileHandle {
  createSyncAccessHandle(): Promise<FileSystemSyncAccessHandle>;
}

/** https://w3c.github.io/mediacapture-transform/ */
declare class MediaStreamTrackProcessor {
  constructor(options: { track: MediaStreamTrack; maxBufferSize?: number });
  readonly readable: ReadableStream<VideoFrame>;
}

/** https://w3c.github.io/compute-pressure/ */
interface PressureRecord {
  readonly state: "nominal" | "fair" | "serious" | "critical";
}

declare class PressureObserver {
  constructor(callback: (records: PressureRecord[]) => void);
  observe(source: "cpu", options?: { sampleInterval?: number }): Promise<void>;
  disconnect(): void;
}

/** https://w3c.github.io/battery/ */
interface BatteryManager extends EventTarget {
  readonly charging: boolean;
  readonly level: number;
}

interface Navigator {
  getBattery?(): Promise<BatteryManager>;
}
