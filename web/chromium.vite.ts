// The tests of shared/ as one file for a real browser (tests/test_web_engine_browser.py): `vite build --config chromium.vite.ts --outDir …`.
// They are the files that Vitest runs in Node; what Node gives them comes from shared/chromium/ here.
import { fileURLToPath, URL } from "node:url";
import { defineConfig, type Plugin } from "vite";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const root = path("../");

/** Files name others beside them by their own address, which one file of a browser does not have. */
const ownAddress: Plugin = {
  name: "dishu:own-address",
  enforce: "pre",
  transform: (code, id) => (id.startsWith(path("./shared/")) && !id.includes("/chromium/") ? code.replaceAll("import.meta.url", JSON.stringify(`file:///${id.slice(root.length)}`)) : null),
};

/** Blocks of the tests' disks lie in the browser's IndexedDB. */
const ownDisk: Plugin = {
  name: "dishu:own-disk",
  enforce: "pre",
  resolveId: (source, importer) => (source === "./store-memory.ts" && !importer?.includes("/chromium/") ? path("./shared/chromium/disk.ts") : null),
};

export default defineConfig({
  logLevel: "error",
  plugins: [ownAddress, ownDisk],
  resolve: {
    alias: [
      { find: /^vitest$/, replacement: path("./shared/chromium/vitest.ts") },
      { find: /^node:(fs|url)$/, replacement: path("./shared/chromium/files.ts") },
      { find: /^fake-indexeddb(\/auto)?$/, replacement: path("./shared/chromium/storage.ts") },
    ],
  },
  build: {
    target: "es2022",
    minify: false,
    emptyOutDir: true,
    lib: { entry: path("./shared/chromium/run.ts"), name: "DishuTests", formats: ["iife"], fileName: () => "tests.js" },
  },
});
