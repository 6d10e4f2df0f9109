import { expect, test } from "vitest";
import type { Definition } from "../engine/reference-types.ts";
import type { Fields } from "../engine/types.ts";
import { vectors } from "../vectors.ts";
import { arisingOf, calculated, isSilent, stale, standingOf } from "./calculate.ts";
import { Form } from "./form.ts";

const { definition, cases, today } = vectors<{ today: string; definition: Definition; cases: { name: string; given: Fields; expected: Fields }[] }>("forms/calculations.json");
const form = new Form(definition, {});

test.each(cases)("what a form works out is the same on the phone as at the office: $name", (one) => {
  expect(calculated(form, one.given, today)).toStrictEqual(one.expected);
  expect(calculated(form, one.expected, today), "once more changes nothing").toStrictEqual(one.expected);
});

test("a question arises only from answers to questions that arise", () => {
  const chain = (has_dog: boolean) => [...arisingOf(form, { has_dog, count: 5, licence: 7 }, today)].filter((name) => ["count", "licence"].includes(name));
  expect(chain(true)).toStrictEqual(["count", "licence"]);
  expect(chain(false)).toStrictEqual([]);
  expect(Object.keys(standingOf(form, { has_dog: false, count: 5, licence: 7 }, today)).sort()).toStrictEqual(["big", "has_dog", "said"]);
});

test("what leans on a value that was not given to this device stays as it stands", () => {
  expect(calculated(form, { a: { mask: "*" }, b: 1, total: 9, half: 4, twice: 8 }, today)).toStrictEqual({ a: { mask: "*" }, b: 1, total: 9, half: 4, twice: 8 });
});

test("a result that stands otherwise than the answers come to is found, unless the day decides it or a part was not given", () => {
  const right = { a: 7, b: 8, total: 15.000000000001, half: 7, twice: 14, big: false, said: "nothing" };
  expect(stale(form, right, today)).toStrictEqual([]);
  expect(stale(form, { ...right, total: 99 }, today)).toStrictEqual(["total"]);
  expect(stale(form, { a: 7, b: 8, big: false, said: "nothing" }, today).sort()).toStrictEqual(["half", "total", "twice"]);
  expect(stale(form, { ...right, at: "2026-11-20T16:00:00Z", seen_on: "2026-11-21", began: "2026-11-19T16:00:00Z", days: 300 }, today)).toStrictEqual([]);
  expect(stale(form, { ...right, a: { mask: "*" }, total: 99 }, today)).toStrictEqual([]);
});

test("a calculation without words of its own is for nobody to read", () => {
  const field = form.fields.get("total")!;
  expect([isSilent(field), isSilent({ ...field, label: { zh: "合计", en: "Total" } }), isSilent(form.fields.get("a")!)]).toStrictEqual([true, false, false]);
});
