/**
 * How the phone is: its battery, its heat, and whether its screen stays on.
 */
import type { Observed } from "./capture/bitrate";

export class DeviceState {
  battery: { level: number; charging: boolean } | null = null;
  pressure: Observed["pressure"] = "nominal";
  #lock: WakeLockSentinel | null = null;
  #wantsAwake = false;
  #observer: PressureObserver | null = null;
  readonly #listening = new AbortController();

  constructor() {
    const { signal } = this.#listening;
    // The system lets go of the lock whenever the page is hidden.
    document.addEventListener("visibilitychange", () => void this.#wake(), { signal });
    void this.#watchBattery(signal);
    void this.#watchPressure();
  }

  destroy(): void {
    this.#listening.abort();
    this.#observer?.disconnect();
    this.stayAwake(false);
  }

  get isAwake(): boolean {
    return this.#lock !== null && !this.#lock.released;
  }

  stayAwake(wants: boolean): void {
    this.#wantsAwake = wants;
    if (wants) void this.#wake();
    else void this.#lock?.release();
  }

  async #wake(): Promise<void> {
    if (!this.#wantsAwake || this.isAwake || document.hidden || !("wakeLock" in navigator)) return;
    this.#lock = await navigator.wakeLock.request("screen").catch(() => null);
  }

  async #watchBattery(signal: AbortSignal): Promise<void> {
    const battery = await navigator.getBattery?.().catch(() => undefined);
    if (!battery) return;
    const look = () => {
      this.battery = { level: battery.level, charging: battery.charging };
    };
    look();
    battery.addEventListener("levelchange", look, { signal });
    battery.addEventListener("chargingchange", look, { signal });
  }

  async #watchPressure(): Promise<void> {
    if (typeof PressureObserver === "undefined") return;
    const observer = new PressureObserver((records) => {
      this.pressure = records.at(-1)?.state ?? this.pressure;
    });
    await observer.observe("cpu", { sampleInterval: 2_000 }).catch(() => undefined);
    this.#observer = observer;
  }
}
