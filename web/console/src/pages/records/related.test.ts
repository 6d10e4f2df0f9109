// @vitest-environment jsdom
import { expect, test } from "vitest";
import { speak } from "../../words/index.ts";
import { factsOf } from "./related.ts";

test("what belongs to a record is told with words: numbers have a name, a no is left out", () => {
  speak("zh-CN");
  const fact = (name: string, zh: string, text: string) => ({ name, label: { zh, en: name }, text });
  const row = { title: "1 单元", facts: [fact("number", "单元号", "1 单元"), fact("floors", "楼层数", "2"), fact("lift", "电梯", "否"), fact("ramp", "坡道", "是"), fact("use", "用途", "住宅"), fact("built", "建成", "2026-03-01T02:00:00.000Z")] };
  const types: Record<string, string> = { floors: "integer", lift: "boolean", ramp: "boolean", built: "datetime" };
  expect(factsOf(row, (name) => types[name], (_, text) => text)).toEqual(["楼层数 2", "坡道", "住宅", "2026-03-01"]);
});
