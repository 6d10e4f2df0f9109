import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { comparable, loadPinyin, soundsAlike } from "./pinyin.ts";

const PAIRS = JSON.parse(readFileSync(new URL("../../../tests/vectors/names/alike.json", import.meta.url), "utf8")) as [string, string, string][];

test("two names are the same, sound alike or neither on the phone as on the server", async () => {
  await loadPinyin();
  const told = PAIRS.map(([one, two]) => {
    const [left, right] = [comparable(one), comparable(two)];
    return [one, two, left === right ? "same" : soundsAlike(left, right) ? "sound" : ""];
  });
  expect(told).toStrictEqual(PAIRS);
});
