// What both screens are built with. Old phones: the oldest browsers that still get security fixes on Android 7.
import vue from "@vitejs/plugin-vue";
import { fileURLToPath, URL } from "node:url";
import type { UserConfig } from "vite";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Settings of one screen; `name` is its folder here and below `server/static/`. */
export function screen(name: "field" | "console", base: string): UserConfig {
  return {
    root: path(`./${name}/`),
    base,
    logLevel: "warn",
    plugins: [vue()],
    resolve: { alias: { "@shared": path("./shared") } },
    build: {
      target: "es2020",
      outDir: path(`../server/static/${name}/`),
      emptyOutDir: true,
      sourcemap: false,
      chunkSizeWarningLimit: 1500,
    },
    // `npx vite --config …` serves the sources; the data comes from a `dishu serve` beside it.
    server: { proxy: { "/api": "http://127.0.0.1:8000" } },
  };
}
