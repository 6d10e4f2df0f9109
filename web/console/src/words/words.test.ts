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
/** Signs as only Chinese writes them, as wide as a character. */
const wide = /[\u3000-\u303f\uff00-\uffef]/;

describe("the console's words", () => {
  it("say everything in both languages", () => {
    for (const [area, words] of Object.entries(WORDS)) {
      for (const [key, [zh, en]] of Object.entries(words)) {
        expect(zh.trim() && en.trim(), `${area}.${key}`).toBeTruthy();
        expect(han.test(en) || wide.test(en), `${area}.${key} in English: ${en}`).toBe(false);
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

  it("are all asked for by a screen: by name, by what a name begins or ends with, or by a code that stands there", () => {
    const text = [...sources.map((one) => one.text), readFileSync(`${root}/words/index.ts`, "utf8")].join("\n");
    const named = new Set([...text.matchAll(/["'`](\w+\.\w+)["'`]/g)].map(([, name]) => name));
    const made = [...new Set([...text.matchAll(/`(\w+)\.((?:\w|\$\{[^}]*\})*)`/g)].filter(([, , key]) => key!.includes("${")).map(([, area, key]) => `${area}.${key!.replace(/\$\{[^}]*\}/g, "*")}`))];
    const stands = (key: string) => new RegExp(`["'\`]${key}["'\`]|\\b${key} ?[:,}]`).test(text);
    const isMade = (area: string, key: string) =>
      made.some((one) => (one === `${area}.*` ? stands(key) : new RegExp(`^${one.replace(".", "\\.").replaceAll("*", "\\w+")}$`).test(`${area}.${key}`)));
    const idle = Object.entries(WORDS).flatMap(([area, words]) => Object.keys(words).filter((key) => !named.has(`${area}.${key}`) && !isMade(area, key)).map((key) => `${area}.${key}`));
    expect(idle).toEqual([]);
  });

  it("are the only place with Chinese words and signs", () => {
    const stray = sources.flatMap(({ name, text }) =>
      text
        .replace(/\/\*[\s\S]*?\*\/|<!--[\s\S]*?-->|(^|\s)\/\/.*$/gm, "")
        .split("\n")
        .filter((line) => han.test(line.replace(/"中文"/g, "")) || wide.test(line))
        .map((line) => `${name}: ${line.trim()}`),
    );
    expect(stray).toEqual([]);
  });
});
