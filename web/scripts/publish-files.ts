/**
 * A plugin of Vite's: tells the service worker which files the publish page needs, so that it opens without a network.
 */
import type { Plugin } from "vite";

/** Fills in the list: the files of the page, and those that they load. */
export function publishFiles(): Plugin {
  return {
    name: "publish-files",
    enforce: "post",
    generateBundle(_, bundle) {
      const worker = bundle["service-worker.js"];
      if (worker?.type !== "chunk") return;
      const page = Object.values(bundle).find((chunk) => chunk.type === "chunk" && chunk.name === "publish");
      const needed = new Set<string>();
      const take = (name: string) => {
        const chunk = bundle[name];
        if (!chunk || needed.has(name)) return;
        needed.add(name);
        if (chunk.type !== "chunk") return;
        const { importedCss, importedAssets } = chunk.viteMetadata ?? {};
        const assets = [...(importedCss ?? []), ...(importedAssets ?? [])];
        [...chunk.imports, ...chunk.dynamicImports, ...assets].forEach(take);
        // Workers and worklets are named in the code alone.
        Object.keys(bundle).filter((other) => chunk.code.includes(other.split("/").pop()!)).forEach(take);
      };
      if (page) take(page.fileName);
      const files = [...needed].filter((name) => name !== "service-worker.js").map((name) => `/${name}`);
      const list = files.sort().map((file) => JSON.stringify(file)).join();
      worker.code = worker.code.replace(/(["'`])__PUBLISH_FILES__\1/, () => list);
    },
  };
}
