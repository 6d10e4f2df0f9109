// @vitest-environment jsdom
import { expect, test } from "vitest";
import { createApp, h } from "vue";
import type { RosterFilterAsked } from "../../api/types.ts";
import { i18n } from "../../words/index.ts";
import NothingFits from "./NothingFits.vue";

function shown(filters: RosterFilterAsked[], cell: string | null): string[] {
  const did: string[] = [];
  const app = createApp({ render: () => h(NothingFits, { filters, cell, onClear: (left: RosterFilterAsked[]) => did.push(`clear ${left.length}`), onAllCells: () => did.push("all cells") }) });
  const page = document.body.appendChild(document.createElement("div"));
  app.use(i18n).mount(page);
  const told = page.querySelector(".big")!.textContent;
  for (const one of page.querySelectorAll("button")) one.click();
  app.unmount();
  return [told, ...did];
}

test("an empty list says what was looked for, and offers to drop it and to look in all cells; without either it offers nothing", () => {
  i18n.global.locale.value = "zh-CN";
  const name: RosterFilterAsked = { column: "name", op: "contains", value: "某某" };
  expect(shown([name], "999999001001001")).toEqual(["没有找到“某某”", "clear 0", "all cells"]);
  expect(shown([{ column: "age", op: "gte", value: 80 }], null)).toEqual(["没有符合条件的记录", "clear 0"]);
  expect(shown([], null)).toEqual(["没有符合条件的记录"]);
});
