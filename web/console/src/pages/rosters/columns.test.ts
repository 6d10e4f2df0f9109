// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { RosterColumn } from "../../api/types.ts";
import { reference, unitsText } from "../../reference.ts";
import { i18n } from "../../words/index.ts";
import { cellText, tableColumn } from "./columns.ts";

const label = (en: string, zh = en) => ({ zh, en });

test("the column of the sex holds the word for it in English, too", () => {
  i18n.global.locale.value = "en";
  const sign = 7.5;
  expect(tableColumn({ name: "sex", type: "select_one", label: label("Sex") } as RosterColumn).width).toBeGreaterThanOrEqual("Female".length * sign + 26);
});

test("what is counted or measured is grouped by thousands; a year, a floor or another number of something is not", () => {
  const told = (name: string, type: string, value: number, measure: string | null = null) => cellText({ name, type, measure, label: label(name), privacy: "public" }, { id: "r", v: 1, doubt: [], [name]: value });
  expect([told("built_year", "integer", 1998), told("floor_number", "integer", -2), told("age", "integer", 101), told("box_number", "integer", 12345)]).toEqual(["1998", "-2", "101", "12345"]);
  expect([told("dwellings_count", "integer", 1998), told("members_count_stated", "integer", 1200), told("area_m2", "decimal", 1998.5), told("height", "integer", 1200, "mm")]).toEqual(["1,998", "1,200", "1,998.5", "1,200"]);
});

test("what is in doubt is told by the label of the unit, else by those of its fields, else by that of the field", () => {
  reference.value = { forms: { person: {
    fields: [{ name: "note", label: label("Note", "备注") }, { name: "sex", label: label("Sex", "性别") }, { name: "born", label: label("Born", "出生") }],
    units: [{ name: "residence", label: label("Residence", "居住"), fields: ["home"] }, { name: "both", fields: ["sex", "born"] }],
  } } } as never;
  i18n.global.locale.value = "en";
  expect(unitsText("person", ["residence", "both", "note", "later"])).toBe("Residence, Sex, Born, Note, later");
  i18n.global.locale.value = "zh-CN";
  expect(unitsText("person", ["residence", "both"])).toBe("居住、性别、出生");
});
