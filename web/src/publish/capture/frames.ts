/**
 * Pictures from a camera, one after the other, each with when it was taken by performance.now().
 */

/** A picture; whoever gets it closes it. */
export interface Taken {
  frame: VideoFrame;
  at_ms: number;
}

/** Gives the pictures of a track to `take` until stopped. */
export function takeFrames(track: MediaStreamTrack, preview: HTMLVideoElement, take: (taken: Taken) => void): () => void {
  return typeof MediaStreamTrackProcessor === "undefined" ? fromPreview(preview, take) : fromTrack(track, take);
}

function fromTrack(track: MediaStreamTrack, take: (taken: Taken) => void): () => void {
  const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 4 }).readable.getReader();
  const clock = new ArrivalClock();
  const run = async () => {
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done) return;
      take({ frame, at_ms: clock.when(frame.timestamp / 1000, performance.now()) });
    }
  };
  run().catch((error: unknown) => console.warn("the camera's pictures end", error));
  return () => void reader.cancel().catch(() => undefined);
}

/** Where tracks cannot be read: what the preview shows. */
function fromPreview(preview: HTMLVideoElement, take: (taken: Taken) => void): () => void {
  let isStopped = false;
  const next: VideoFrameRequestCallback = (now_ms, { captureTime }) => {
    if (isStopped) return;
    preview.requestVideoFrameCallback(next);
    const at_ms = captureTime ?? now_ms;
    take({ frame: new VideoFrame(preview, { timestamp: Math.round(at_ms * 1000) }), at_ms });
  };
  preview.requestVideoFrameCallback(next);
  return () => {
    isStopped = true;
  };
}

/** How long the first arrivals are watched for the one that was quickest. */
const WATCHED = 30;

/** Turns a source's own times into ours: what was quickest to arrive says how they differ. */
export class ArrivalClock {
  #offset_ms = Infinity;
  #seen = 0;

  when(at_ms: number, arrived_ms: number): number {
    const offset_ms = arrived_ms - at_ms;
    const isOff = Math.abs(offset_ms - this.#offset_ms) > 2_000;
    if (this.#seen === 0 || isOff) this.#offset_ms = offset_ms;
    else if (this.#seen < WATCHED) this.#offset_ms = Math.min(this.#offset_ms, offset_ms);
    this.#seen += 1;
    return at_ms + this.#offset_ms;
  }
}
