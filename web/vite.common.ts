// What both screens are built with. Old phones: the oldest browsers that still get security fixes on Android 7.
import vue from "@vitejs/plugin-vue";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, URL } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { HtmlTagDescriptor, Plugin, UserConfig } from "vite";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

interface Chunk {
  type: string;
  fileName: string;
  facadeModuleId?: string | null;
  imports?: string[];
  viteMetadata?: { importedCss: Set<string> };
  source?: string | Uint8Array;
}

/**
 * The first picture waits for one answer of the server: the styles that it needs stand in the page itself. The program is fetched
 * beside it and begins behind it (`boot.ts`). The switched off links keep Vite from fetching the same styles once more.
 */
function firstPicture(base: string): Plugin {
  return {
    name: "dishu:first-picture",
    transformIndexHtml: {
      order: "post",
      handler(_html, { bundle }) {
        const chunks = (bundle ?? {}) as unknown as Record<string, Chunk>;
        const scripts = new Set<string>();
        const styles = new Set<string>();
        const gather = (one: Chunk | undefined): void => {
          if (!one || scripts.has(one.fileName)) return;
          scripts.add(one.fileName);
          for (const name of one.imports ?? []) gather(chunks[name]);
          for (const name of one.viteMetadata?.importedCss ?? []) styles.add(name);
        };
        gather(Object.values(chunks).find((one) => one.type === "chunk" && one.facadeModuleId?.endsWith("/src/main.ts")));
        const text = (name: string): string => Buffer.from(chunks[name]?.source ?? "").toString("utf8").trim();
        const tags: HtmlTagDescriptor[] = [...styles].map((name) => ({ tag: "style", children: text(name), injectTo: "head" }));
        for (const name of styles) tags.push({ tag: "link", attrs: { rel: "stylesheet", href: base + name, disabled: true }, injectTo: "head" });
        for (const name of scripts) tags.push({ tag: "link", attrs: { rel: "modulepreload", crossorigin: true, href: base + name }, injectTo: "head" });
        return tags;
      },
    },
  };
}

/** Beside every text that is large enough: the same packed as tightly as it goes, once and not with every request. */
function packed(): Plugin {
  return {
    name: "dishu:packed",
    apply: "build",
    enforce: "post",
    writeBundle({ dir }, bundle) {
      for (const name of Object.keys(bundle)) {
        if (!/\.(js|css|html|json|svg)$/.test(name)) continue;
        const file = join(dir ?? "", name);
        const bytes = readFileSync(file);
        if (bytes.length < 1000) continue;
        writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }));
        writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
      }
    },
  };
}

/** The project's version and what the field app was made from: another program tells another one, also between two versions. */
export function appVersion(): string {
  const [, number = ""] = /^version = "([^"]+)"/m.exec(readFileSync(path("../pyproject.toml"), "utf8")) ?? [];
  const made = createHash("sha256");
  for (const folder of ["./field/src/", "./shared/"]) {
    const names = readdirSync(path(folder), { recursive: true, encoding: "utf8" }).filter((name) => /\.(ts|vue|css|json)$/.test(name) && !name.endsWith(".test.ts"));
    for (const name of names.sort()) made.update(name).update(readFileSync(path(folder) + name));
  }
  return `${number}+${made.digest("hex").slice(0, 8)}`;
}

/** Settings of one screen; `name` is its folder here and below `server/static/`. */
export function screen(name: "field" | "console", base: string): UserConfig {
  return {
    root: path(`./${name}/`),
    base,
    logLevel: "warn",
    plugins: [vue(), firstPicture(base), packed()],
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
