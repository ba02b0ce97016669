/**
 * How to publish with programs that people have: lines to copy. Pure text.
 */
import type { Created } from "../transport";

/** Where to publish, and the permission to. */
export type PushTo = Pick<Created["publish"], "push_url" | "token">;

const VIDEO = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 60 -keyint_min 60 -sc_threshold 0";
const AUDIO = "-c:a aac";
const HLS = "-f hls -hls_time 2 -method PUT";

/** The playlist that an HLS pusher is pointed at. */
export function pushPlaylist(to: PushTo): string {
  return `${to.push_url}out.m3u8`;
}

/** Sends a test picture and a tone. */
export function testPicture(to: PushTo): string {
  const source = "-re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440";
  return `ffmpeg ${source} ${VIDEO} ${AUDIO} ${HLS} "${pushPlaylist(to)}"`;
}

/** Sends a camera and the default microphone, on Linux. */
export function camera(to: PushTo): string {
  const source = "-f v4l2 -framerate 30 -video_size 1280x720 -i /dev/video0 -f alsa -i default";
  return `ffmpeg ${source} ${VIDEO} ${AUDIO} ${HLS} "${pushPlaylist(to)}"`;
}

/** The server address for OBS, with its own placeholder for the stream key. */
export function obsServer(to: PushTo): string {
  return pushPlaylist(to).replace(to.token, "{stream_key}");
}

/** The service.json of an OBS profile. OBS has no field for the address of an HLS server. */
export function obsService(to: PushTo): string {
  const settings = {
    service: "YouTube - HLS",
    protocol: "HLS",
    server: obsServer(to),
    key: to.token,
  };
  return JSON.stringify({ type: "rtmp_common", settings }, null, 2);
}
