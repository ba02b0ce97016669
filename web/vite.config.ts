// Two pages, each an HTML entry; everything they load has its digest in its name and lies under /assets/.
import { defineConfig } from "vite";

export default defineConfig({
  base: "/",
  build: {
    target: "es2022",
    assetsDir: "assets",
    // Files, not data: URLs, so that a Content-Security-Policy of 'self' is enough.
    assetsInlineLimit: 0,
    // hls.js is that large, and only the watch page loads it.
    chunkSizeWarningLimit: 700,
    rollupOptions: { input: ["index.html", "watch.html"] },
  },
});
