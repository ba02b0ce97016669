// The pages, each an HTML entry; everything they load has its digest in its name and lies under /assets/.
import { defineConfig } from "vite";
import { publishFiles } from "./scripts/publish-files";

export default defineConfig({
  base: "/",
  plugins: [publishFiles()],
  build: {
    // See docs/design/web.md, *Browsers*.
    target: ["es2022", "safari15.4"],
    assetsDir: "assets",
    // Files, not data: URLs, so that a Content-Security-Policy of 'self' is enough.
    assetsInlineLimit: 0,
    // hls.js, Shaka and the AAC encoder are that large; what a page really loads is checked by scripts/budget.mjs.
    chunkSizeWarningLimit: 1100,
    rollupOptions: {
      input: [
        ...["index", "broadcast", "watch", "embed", "publish"].map((page) => `${page}.html`),
        "src/publish/service-worker.ts",
      ],
      // A service worker has one address for ever.
      output: { entryFileNames: ({ name }) => (name === "service-worker" ? "[name].js" : "assets/[name]-[hash].js") },
    },
  },
  worker: { format: "es" },
});
