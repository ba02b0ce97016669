// Reads playlists with hls-parser in its strict mode.
// usage: node parse-playlists.mjs FILE   (a JSON list of texts)  ->  a JSON list: how many segments each one has
import { readFileSync } from "node:fs";
import HLS from "hls-parser";

HLS.setOptions({ strictMode: true });
/**
 * Without date ranges that another one of the same ID repeats: by RFC 8216bis, 4.4.5.1 the two are one, while
 * hls-parser takes an open range and the tag that closes it for two that overlap.
 */
function merged(text) {
  const lines = text.split("\n");
  const id = (line) => /^#EXT-X-DATERANGE:(?:.*,)?ID="([^"]*)"/.exec(line)?.[1];
  const attributes = (line) => line.slice(line.indexOf(":") + 1).split(",");
  const repeats = (line, later) => attributes(line).every((attribute) => attributes(later).includes(attribute));
  return lines
    .filter((line, at) => {
      const own = id(line);
      return !own || !lines.slice(at + 1).some((later) => id(later) === own && repeats(line, later));
    })
    .join("\n");
}

const texts = JSON.parse(readFileSync(process.argv[2], "utf8"));
const counts = texts.map((text) => {
  try {
    // A date range after the last segment makes one more, which has no address.
    return HLS.parse(merged(text)).segments.filter((segment) => segment.uri).length;
  } catch (error) {
    throw new Error(`${error.message} in\n${text}`);
  }
});
console.log(JSON.stringify(counts));
