import { device, enrolled, scripted } from "@shared/engine/kit.ts";
import type { Value } from "@shared/engine/index.ts";
import { expect, test } from "vitest";
import { i18n, t } from "../i18n.ts";
import { attach, engine, reference } from "../session.ts";
import type { Door } from "./day.ts";
import { reasonWords } from "./reasons.ts";
import { countWords, measureWords, valueWords } from "./words.ts";

test("a number says what it is counted in, one thing is one and two are many in English, what was written as a change reads as one, a rule of one day says every day", async () => {
  attach(await enrolled(device(scripted())));
  const known = reference.value!;
  const field = (name: string, measure?: string) => ({ name, type: "decimal", label: { zh: name, en: name }, privacy: "internal", ...(measure ? { measure } : {}) });
  reference.value = { ...known, forms: { ...known.forms, dwelling: { ...known.forms["dwelling"], fields: [field("area_m2", "m2"), field("rooms_count")] } } } as unknown as typeof known;
  expect([valueWords("dwelling", "area_m2", 122.3), valueWords("dwelling", "rooms_count", 4), measureWords("%")]).toStrictEqual(["122.3 平方米", "4", "%"]);

  const phones = (value: Value) => valueWords("person", "phones", value);
  expect([phones(["1", "2"]), phones({ add: ["3"], remove: ["1"] }), valueWords("resource", "quantity", { delta: -5 }), valueWords("resource", "of_tomorrow", { x: 1 })]).toStrictEqual(["1、2", "+ 3 − 1", "− 5", "更新程序后可以看"]);
  i18n.global.locale.value = "en";
  expect([countWords(60, "piece"), countWords(1, "set"), countWords(2, "box"), countWords(5, null), t("record.years", { n: 1 }), t("record.years", { n: 2 })]).toStrictEqual(["60 pieces", "1 set", "2 boxes", "5", "1 year", "2 years"]);
  i18n.global.locale.value = "zh";
  expect([countWords(60, "piece"), t("record.years", { n: 1 })]).toStrictEqual(["60 件", "1 岁"]);

  const groups = [{ name: "care", label: { zh: "每日联系对象", en: "Daily contact" }, when: { care: ["daily"] }, every_days: 1 }];
  engine().reference = () => ({ ...known, rules: { visits: { groups, bands: [] } } }) as unknown as typeof known;
  const says = (every_days: number): string => reasonWords({ stands: { group: "care", every_days, last_on: null, attempts: 0, band: null } } as unknown as Door);
  expect([says(1), says(7)]).toStrictEqual(["每日联系对象，每天", "每日联系对象，每7天"]);
});
