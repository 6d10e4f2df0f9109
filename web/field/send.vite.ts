// The part of the service worker that sends; built behind the app, into the same folder.
import { fileURLToPath, URL } from "node:url";
import { defineConfig } from "vite";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  logLevel: "warn",
  publicDir: false,
  resolve: { alias: { "@shared": here("../shared") } },
  build: {
    target: "es2020",
    outDir: here("../../server/static/field"),
    emptyOutDir: false,
    lib: { entry: here("./src/send-worker.ts"), name: "DishuSending", formats: ["iife"], fileName: () => "send.js" },
  },
});
