// The pages, each an HTML entry; everything they load has its digest in its name and lies under /assets/.
import { defineConfig } from "vite";

export default defineConfig({
  base: "/",
  build: {
    target: "es2022",
    assetsDir: "assets",
    // Files, not data: URLs, so that a Content-Security-Policy of 'self' is enough.
    assetsInlineLimit: 0,
    // hls.js and Shaka are that large; what a page really loads is checked by scripts/budget.mjs.
    chunkSizeWarningLimit: 900,
    rollupOptions: { input: ["index.html", "watch.html", "embed.html"] },
  },
});
