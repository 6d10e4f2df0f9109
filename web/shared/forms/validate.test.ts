import { expect, test } from "vitest";
import type { Fields } from "../engine/types.ts";
import { builtInForms, vectors } from "../vectors.ts";
import { FormRegistry, type Form } from "./form.ts";
import { arisingOf } from "./calculate.ts";
import { findings, validate } from "./validate.ts";

interface Case {
  name: string;
  record_type: string;
  creating: boolean;
  set: Fields;
  normal: Fields;
  errors: [string, string][];
}

const registry = new FormRegistry(builtInForms());
const form = (type: string): Form => registry.get(type) as Form;

// JSON has one kind of number: where Python sees that 5.0 was written, JavaScript sees 5.
const WRITTEN_AS_DECIMAL = new Set(["whole number with a point"]);

test.each(vectors<{ cases: Case[] }>("forms/validation.json").cases.filter((one) => !WRITTEN_AS_DECIMAL.has(one.name)))(
  "what was typed is judged on the phone as on the server: $name",
  (one) => {
    const judged = validate(form(one.record_type), one.set, one.creating);
    expect(judged.normal).toStrictEqual(one.normal);
    expect(judged.errors.map((error) => [error.pointer, error.code])).toStrictEqual(one.errors);
    expect(validate(form(one.record_type), judged.normal, false).normal).toStrictEqual(judged.normal);
    for (const error of judged.errors) expect(error.zh).not.toBe("");
  },
);

test("every built-in form can be built, each field is in one unit, and its default is in normal form", () => {
  expect(registry.types().length).toBeGreaterThan(20);
  for (const type of registry.types()) {
    const members = [...form(type).units.values()].flatMap((unit) => unit.fields);
    expect([...members].sort()).toStrictEqual([...form(type).fields.keys()].sort());
    for (const field of form(type).fields.values()) {
      if (field.default !== undefined) expect(validate(form(type), { [field.name]: field.default }, false).normal).toStrictEqual({ [field.name]: field.default });
    }
  }
});

test("a wrong document number is a finding, and a number is not asked for where a reason says why there is none", () => {
  const wrongNumber = { name: "测试", document_type: "resident_id", document_number: "999999194910010028" };
  expect(findings(form("person"), wrongNumber, "2026-11-21").map((one) => one.name)).toContain("resident_id_check");
  expect(arisingOf(form("person"), { document_missing_reason: "x" }, "2026-11-21").has("document_number")).toBe(false);
});
