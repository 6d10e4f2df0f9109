import { expect, test } from "vitest";
import { byNumber, orderKeys } from "./order.ts";

test("keys put addresses in the order in which two of them are compared", () => {
  const buildings = ["石皮巷", "桑榆里一期", "桑榆里二期", "", "和平路"];
  const texts = buildings.flatMap((name) => [2, 10, 1].flatMap((number) => [101, 1002, 201].map((door) => `${name}${number} 幢 ${door}`)));
  texts.push("7 幢", "7 幢 101", "没有门牌", "");
  const keys = orderKeys(texts);
  const key = (text: string): string => keys.get(text) as string;
  expect([...texts].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))).toStrictEqual([...texts].sort(byNumber));
});
