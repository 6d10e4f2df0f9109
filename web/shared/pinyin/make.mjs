// Writes table.json anew from pinyin-pro: `node shared/pinyin/make.mjs` in web/. The table is a tenth of the library,
// and all that a search by name needs: the readings without tones of each character of the basic plane.
import { writeFileSync } from "node:fs";
import { pinyin } from "pinyin-pro";

const found = new Map();
for (let code = 0x4e00; code <= 0x9fa5; code++) {
  const one = String.fromCharCode(code);
  for (const reading of new Set(pinyin(one, { toneType: "none", multiple: true, type: "array" }))) {
    const plain = reading.replaceAll("ü", "v").replace(/[^a-z]/g, "");
    if (plain && plain !== one) found.set(plain, (found.get(plain) ?? "") + one);
  }
}
const rows = [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([reading, characters]) => `${JSON.stringify(reading)}:${JSON.stringify(characters)}`);
const lines = [];
for (let at = 0; at < rows.length; at += 4) lines.push(rows.slice(at, at + 4).join(","));
writeFileSync(new URL("./table.json", import.meta.url), `{${lines.join(",\n")}}\n`);
