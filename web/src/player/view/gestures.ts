/**
 * The pointer on the picture: a tap shows the controls, a click plays or pauses, two taps at a side skip.
 */
import { SKIP_S } from "../keys";

const DOUBLE_TAP_MS = 300;
/** At the sides: this part of the width each. */
const SIDE = 0.35;

export interface GestureListener {
  togglePlay(): void;
  toggleFullscreen(): void;
  skip(seconds: number): void;
  toggleControls(): void;
}

/** Listens on the picture until the signal. */
export function listenForGestures(surface: HTMLElement, on: GestureListener, signal: AbortSignal): void {
  let lastTap_ms = 0;
  let timer: number | undefined;
  surface.addEventListener("click", (event) => {
    const isTouch = event instanceof PointerEvent && event.pointerType === "touch";
    const isSecond = event.timeStamp - lastTap_ms < DOUBLE_TAP_MS;
    lastTap_ms = isSecond ? 0 : event.timeStamp;
    clearTimeout(timer);
    if (isTouch && isSecond) return doubleTap(surface, event, on);
    if (isSecond) return on.toggleFullscreen();
    // The first of two must not do what one does.
    timer = window.setTimeout(isTouch ? on.toggleControls : on.togglePlay, isTouch ? DOUBLE_TAP_MS : DOUBLE_TAP_MS / 2);
  }, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
}

/** Time runs from left to right on a player in every language. */
function doubleTap(surface: HTMLElement, event: MouseEvent, on: GestureListener): void {
  const box = surface.getBoundingClientRect();
  const part = (event.clientX - box.left) / box.width;
  if (part < SIDE) on.skip(-SKIP_S);
  else if (part > 1 - SIDE) on.skip(SKIP_S);
  else on.toggleFullscreen();
}
