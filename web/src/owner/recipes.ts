/**
 * How to publish with programs that people have: lines to copy. Pure text.
 */
import type { Created } from "../transport";

const VIDEO = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 60 -keyint_min 60 -sc_threshold 0";
const AUDIO = "-c:a aac";
const HLS = "-f hls -hls_time 2 -method PUT";

/** The playlist that an HLS pusher is pointed at. */
export function pushPlaylist(created: Created): string {
  return `${created.publish.push_url}out.m3u8`;
}

/** Sends a test picture and a tone. */
export function testPicture(created: Created): string {
  const source = "-re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440";
  return `ffmpeg ${source} ${VIDEO} ${AUDIO} ${HLS} "${pushPlaylist(created)}"`;
}

/** Sends a camera and the default microphone, on Linux. */
export function camera(created: Created): string {
  const source = "-f v4l2 -framerate 30 -video_size 1280x720 -i /dev/video0 -f alsa -i default";
  return `ffmpeg ${source} ${VIDEO} ${AUDIO} ${HLS} "${pushPlaylist(created)}"`;
}

/** The server address for OBS, with its own placeholder for the stream key. */
export function obsServer(created: Created): string {
  return pushPlaylist(created).replace(created.publish.token, "{stream_key}");
}

/** The service.json of an OBS profile. OBS has no field for the address of an HLS server. */
export function obsService(created: Created): string {
  const settings = {
    service: "YouTube - HLS",
    protocol: "HLS",
    server: obsServer(created),
    key: created.publish.token,
  };
  return JSON.stringify({ type: "rtmp_common", settings }, null, 2);
}
