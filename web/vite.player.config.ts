// The player as an ES module for other people's pages: web/dist/player is an npm-style package. Types come from tsc.
import { defineConfig } from "vite";

export default defineConfig({
  // Everything lies beside the module, wherever that is served from.
  base: "./",
  publicDir: false,
  build: {
    // See docs/design/web.md, *Browsers*.
    target: ["es2022", "safari15.4"],
    outDir: "dist/player",
    assetsDir: ".",
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    chunkSizeWarningLimit: 900,
    modulePreload: false,
    rollupOptions: {
      input: { player: "src/player/index.ts" },
      // Not everybody's: a site that wants Shaka passes it in, or installs it.
      external: ["shaka-player"],
      preserveEntrySignatures: "strict",
      output: {
        entryFileNames: "player.js",
        chunkFileNames: "[name]-[hash].js",
        assetFileNames: ({ names }) => (names.some((name) => name.endsWith(".css")) ? "player.css" : "[name]-[hash][extname]"),
      },
    },
  },
});
