// The engine alone as one file, for trials in a browser: `vite build --config engine.vite.ts --outDir …`.
import { fileURLToPath, URL } from "node:url";
import { defineConfig } from "vite";

export default defineConfig({
  logLevel: "warn",
  build: {
    target: "es2020",
    emptyOutDir: true,
    lib: {
      entry: fileURLToPath(new URL("./shared/engine/trial.ts", import.meta.url)),
      name: "DishuEngine",
      formats: ["iife"],
      fileName: () => "engine.js",
    },
  },
});
