/**
 * What is said where nothing can be recorded: why, what to do, and how to broadcast all the same.
 */
import { element } from "../../element";
import type { Missing } from "../model";
import type { Words } from "../words";

export function unsupported(missing: Missing, words: Words): HTMLElement {
  const https = "headwater up --listen 0.0.0.0:8443 --tls-self-signed";
  const ffmpeg =
    "ffmpeg -f v4l2 -i /dev/video0 -f alsa -i default -c:v libx264 -preset veryfast -pix_fmt yuv420p -g 60 -c:a aac " +
    `-f hls -hls_time 2 -method PUT "${location.origin}/push/TOKEN/out.m3u8"`;
  const code = (text: string) => element("pre", { tabindex: "0" }, element("code", {}, text));
  return element(
    "section",
    { class: "unsupported" },
    element("h1", {}, words.unsupportedTitle),
    element("p", {}, words.unsupported(missing)),
    element("p", {}, words.unsupportedDo(missing)),
    ...(missing === "secure-context" ? [code(https)] : []),
    element("h2", {}, words.otherWays),
    element("p", {}, words.ffmpegWay),
    code(ffmpeg),
    element("p", {}, words.obsWay),
  );
}
