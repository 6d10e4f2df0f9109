// Both languages are complete, and every word that the screens ask for is there.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { WORDS } from "./all.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const sources = (readdirSync(root, { recursive: true }) as string[])
  .filter((name) => /\.(vue|ts)$/.test(name) && !name.startsWith("words/") && !name.includes(".test."))
  .map((name) => ({ name, text: readFileSync(`${root}/${name}`, "utf8") }));
const han = /[\u4e00-\u9fff]/;

describe("the console's words", () => {
  it("say everything in both languages", () => {
    for (const [area, words] of Object.entries(WORDS)) {
      for (const [key, [zh, en]] of Object.entries(words)) {
        expect(zh.trim() && en.trim(), `${area}.${key}`).toBeTruthy();
        expect(han.test(en), `${area}.${key} in English: ${en}`).toBe(false);
      }
    }
  });

  it("take the same values in both languages", () => {
    const values = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort().join();
    for (const [area, words] of Object.entries(WORDS)) {
      for (const [key, [zh, en]] of Object.entries(words)) expect(values(en), `${area}.${key}`).toBe(values(zh));
    }
  });

  it("hold every key that a screen names", () => {
    const missing: string[] = [];
    for (const { name, text } of sources) {
      for (const [, area, key] of text.matchAll(/(?:\$t|\bt)\(\s*["'](\w+)\.(\w+)["']/g)) {
        if (!WORDS[area!]?.[key!]) missing.push(`${name}: ${area}.${key}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it("are the only place with Chinese words", () => {
    const stray = sources.flatMap(({ name, text }) =>
      text
        .replace(/\/\*[\s\S]*?\*\/|<!--[\s\S]*?-->|(^|\s)\/\/.*$/gm, "")
        .split("\n")
        .filter((line) => han.test(line.replace(/"中文"/g, "")))
        .map((line) => `${name}: ${line.trim()}`),
    );
    expect(stray).toEqual([]);
  });
});
