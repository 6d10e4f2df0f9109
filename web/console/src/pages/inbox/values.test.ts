// @vitest-environment jsdom
import { beforeEach, expect, test } from "vitest";
import { reference } from "../../reference.ts";
import { i18n } from "../../words/index.ts";
import { readValue } from "./values.ts";

beforeEach(() => {
  const entries = [{ code: "water", label: { zh: "送水", en: "Carries water" } }, { code: "night", label: { zh: "夜间", en: "Nights" } }];
  reference.value = { forms: { party_member: { fields: [{ name: "skills", codelist: "skill" }, { name: "is_host" }] } }, codelists: { skill: { entries } } } as never;
});

test.each([
  { why: "several codes in the words of the list", name: "skills", value: ["water", "night"], label: "送水、夜间", zh: "送水、夜间", en: "Carries water, Nights" },
  { why: "codes that the list does not know as the server tells them", name: "skills", value: ["water", "gone"], label: "送水、已撤", zh: "送水、已撤", en: "送水、已撤" },
  { why: "yes and no", name: "is_host", value: true, label: "是", zh: "是", en: "Yes" },
])("values beside each other are told in the language of the screen: $why", ({ name, value, label, zh, en }) => {
  i18n.global.locale.value = "zh-CN";
  expect(readValue("party_member", name, { value, label } as never)).toBe(zh);
  i18n.global.locale.value = "en";
  expect(readValue("party_member", name, { value, label } as never)).toBe(en);
});
