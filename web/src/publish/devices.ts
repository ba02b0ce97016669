/**
 * Cameras and microphones: which there are, and how to get one.
 */
import type { Missing, WhyNone } from "./model";
import { configFor } from "./capture/picture";

/** How large the picture should be: its longer side. */
export const QUALITIES = { "360": 640, "540": 960, "720": 1280, "1080": 1920 } as const;
export type Quality = keyof typeof QUALITIES;

/** What the publisher has chosen, kept for the next visit. */
export interface Choice {
  camera: string | null;
  microphone: string | null;
  /** Which way the camera looks, while none was chosen by name. */
  facing: "user" | "environment";
  quality: Quality;
}

const KEPT = "publish-choice";
const FIRST: Choice = { camera: null, microphone: null, facing: "environment", quality: "720" };

export function loadChoice(): Choice {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}") as Partial<Choice>;
    return { ...FIRST, ...kept, quality: kept.quality && kept.quality in QUALITIES ? kept.quality : FIRST.quality };
  } catch {
    return FIRST;
  }
}

export function storeChoice(choice: Choice): void {
  localStorage.setItem(KEPT, JSON.stringify(choice));
}

/** What this browser lacks, if anything. */
export async function findMissing(): Promise<Missing | null> {
  if (!isSecureContext) return "secure-context";
  if (!navigator.mediaDevices?.getUserMedia) return "camera";
  if ((await configFor({ width: 1280, height: 720 }, 1_000_000)) === null) return "encoder";
  if (typeof navigator.storage?.getDirectory !== "function" || typeof navigator.locks?.request !== "function") return "storage";
  return navigator.storage.getDirectory().then(() => null, () => "storage" as const);
}

export function openCamera({ camera, facing, quality }: Choice): Promise<MediaStream> {
  const longer = QUALITIES[quality];
  const size = { width: { ideal: longer }, height: { ideal: (longer * 9) / 16 }, frameRate: { ideal: 30, max: 30 } };
  const which = camera === null ? { facingMode: { ideal: facing } } : { deviceId: { exact: camera } };
  return navigator.mediaDevices.getUserMedia({ video: { ...size, ...which }, audio: false }).catch((error: unknown) => {
    // The one that was chosen on another day is not there.
    if (camera !== null && isNamed(error, "OverconstrainedError", "NotFoundError")) {
      return openCamera({ camera: null, microphone: null, facing, quality });
    }
    throw error;
  });
}

export function openMicrophone({ microphone }: Choice): Promise<MediaStream> {
  const which = microphone === null ? {} : { deviceId: { ideal: microphone } };
  const clean = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  return navigator.mediaDevices.getUserMedia({ audio: { ...clean, ...which }, video: false });
}

/** Both at once, so that the publisher is asked once; without sound, if there is no microphone. */
export async function askForBoth(choice: Choice): Promise<void> {
  const both = await navigator.mediaDevices
    .getUserMedia({ video: { facingMode: { ideal: choice.facing } }, audio: true })
    .catch(() => navigator.mediaDevices.getUserMedia({ video: { facingMode: { ideal: choice.facing } } }));
  for (const track of both.getTracks()) track.stop();
}

export async function devices(kind: "videoinput" | "audioinput"): Promise<MediaDeviceInfo[]> {
  return (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === kind);
}

/** Why there is no camera, or no microphone. */
export function whyNone(error: unknown): WhyNone {
  if (isNamed(error, "NotAllowedError", "SecurityError")) return "denied";
  return isNamed(error, "NotFoundError", "OverconstrainedError") ? "none" : "busy";
}

function isNamed(error: unknown, ...names: string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}
