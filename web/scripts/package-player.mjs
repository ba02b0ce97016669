// Writes the package.json and the README of web/dist/player, which Vite and tsc have filled.
// usage: node scripts/package-player.mjs
import { readFileSync, writeFileSync } from "node:fs";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
const { dependencies } = JSON.parse(read("../package.json"));
const version = /^version = "(.*)"$/m.exec(read("../../Cargo.toml"))?.[1] ?? "0.0.0";

const manifest = {
  name: "@headwater/player",
  version,
  description: "Plays a Headwater broadcast in a web page: live, catch-up and the recording, and always says what is going on.",
  type: "module",
  main: "./player.js",
  types: "./types/player/index.d.ts",
  exports: {
    ".": { types: "./types/player/index.d.ts", default: "./player.js" },
    "./player.css": "./player.css",
  },
  sideEffects: ["./player.css"],
  peerDependencies: { "shaka-player": dependencies["shaka-player"] },
  peerDependenciesMeta: { "shaka-player": { optional: true } },
};
writeFileSync(new URL("../dist/player/package.json", import.meta.url), `${JSON.stringify(manifest, null, 2)}\n`);
writeFileSync(new URL("../dist/player/README.md", import.meta.url), read("../../docs/embedding.md"));
