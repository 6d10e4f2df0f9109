// @vitest-environment jsdom
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { i18n } from "../../words/index.ts";
import { purposeSaid } from "./purposes.ts";

const server = resolve("../server");

/** Every note that the server writes into its audit log by itself, with X where a code stands in it. */
function written(): string[] {
  const found = new Set<string>();
  for (const file of readdirSync(server, { recursive: true }) as string[]) {
    if (!file.endsWith(".py") || file.startsWith("simulation/")) continue;
    const text = readFileSync(`${server}/${file}`, "utf8");
    for (const begin of text.matchAll(/\b(?:Look|look|_note)\(/g)) {
      let [at, deep] = [begin.index + begin[0].length, 1];
      for (; deep > 0 && at < text.length; at += 1) deep += text[at] === "(" ? 1 : text[at] === ")" ? -1 : 0;
      const given = text.slice(begin.index, at).replaceAll(/(?:get|pop|arguments)[[(]"\w+"/g, "").replaceAll(/\{[^}]*\}/g, "X");
      // Of a look the first text is the action; a note names it elsewhere.
      const texts = [...given.matchAll(/"([^"]*)"/g)].map(([, one]) => one!);
      for (const one of begin[0] === "_note(" ? texts : texts.slice(1)) if (one) found.add(one);
    }
  }
  return [...found];
}

test("whatever the server notes by itself is told in Chinese, a note with a code as well; what people wrote stays as it is", () => {
  i18n.global.locale.value = "zh-CN";
  const all = written();
  expect(all).toEqual(expect.arrayContaining(["device enrolled: answered again", "house key rotated", "former house keys retired", "restored from a backup", "backup", "basemap set", "inbox: X", "erasure: X"]));
  const raw = all.map((one) => [one, purposeSaid(one).replaceAll(/X|ODK/g, "")]).filter(([, said]) => /[A-Za-z]/.test(said!));
  expect(raw).toEqual([]);
  expect(["inbox: quarantined", "inbox: held", "inbox: noticed", "inbox: delegate"].map(purposeSaid)).toEqual(["待办：待核对", "待办：等另一条", "待办：已了结，不再列出", "待办：交给网格员核实"]);
  expect(purposeSaid("OGC API: party_members")).toBe("地图接口：党员");
  expect(purposeSaid("Ms Li asked for it")).toBe("Ms Li asked for it");
});
