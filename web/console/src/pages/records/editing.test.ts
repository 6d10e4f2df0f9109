import { describe, expect, test } from "vitest";
import type { Definition } from "@shared/engine/reference-types.ts";
import { Form } from "@shared/forms/form.ts";
import { vectors } from "@shared/vectors.ts";
import type { FactField } from "../../api/records.ts";
import { begin, draftOf, patchOf, renewed, typedIn, withCalculated } from "./editing.ts";

const field = (name: string, value: unknown, masked = false): FactField => ({ name, label: { zh: "", en: "" }, type: "text", privacy: "internal", codelist: null, measure: null, value, text: null, masked, ref: null });
const unit = (policy: string, ...fields: FactField[]) => ({ policy, fields });

describe("an edit in place", () => {
  test("is written against what it began with, though the page was read anew meanwhile", () => {
    const page = { record: { v: 3, tag: "three" }, unit: unit("review", field("floor", "2"), field("door", "201")) };
    const begun = begin(page.record, page.unit);
    const draft = { ...draftOf(begun), door: "202" };
    page.record = { v: 4, tag: "four" };
    page.unit = unit("review", field("floor", "9"), field("door", "901"));
    expect(patchOf(begun, draft)).toEqual({ base: { v: 3, tag: "three" }, set: { door: "202", floor: "2" }, was: { floor: "2", door: "201" } });
  });

  test("that changes nothing writes nothing, also where somebody else changed the fact meanwhile", () => {
    const begun = begin({ v: 1, tag: "a" }, unit("last", field("phone", "1")));
    expect([patchOf(begun, draftOf(begun)), typedIn(begun, draftOf(begun)), typedIn(begun, { phone: "2" })]).toEqual([null, false, true]);
  });

  test("leaves a secret behind its mask, and what is added to, alone unless something was typed", () => {
    const secret = begin({ v: 1, tag: "a" }, unit("review", field("kind", "passport"), field("number", { mask: "*1" }, true)));
    expect(patchOf(secret, draftOf(secret))).toBeNull();
    expect(patchOf(secret, { ...draftOf(secret), number: "X1" })).toMatchObject({ set: { kind: "passport", number: "X1" }, was: { kind: "passport" } });
    const stock = begin({ v: 1, tag: "a" }, unit("add", field("quantity", 7)));
    expect([patchOf(stock, draftOf(stock)), patchOf(stock, { quantity: -2 })]).toEqual([null, { base: { v: 1, tag: "a" }, set: { quantity: -2 }, was: { quantity: 7 } }]);
  });

  test("writes along what follows from it", () => {
    const { definition, today } = vectors<{ definition: Definition; today: string }>("forms/calculations.json");
    const form = new Form(definition, {});
    const stands = { a: 7, b: 8, total: 15, half: 7, big: false, said: "nothing", twice: 14 };
    const begun = begin({ v: 1, tag: "a" }, unit("last", field("b", 8)));
    expect(withCalculated(patchOf(begun, { b: 0 })!, form, stands, today)).toEqual({
      base: { v: 1, tag: "a" }, set: { b: 0, total: 7, half: 3, twice: null }, was: { b: 8, total: 15, half: 7, twice: 14 },
    });
  });

  test("works out anew only what a finding says is wrong", () => {
    const { definition, today } = vectors<{ definition: Definition; today: string }>("forms/calculations.json");
    const form = new Form(definition, {});
    const stands = { a: 7, b: 8, total: 99, half: 7, big: false, said: "nothing" };
    const base = { v: 1, tag: "a" };
    expect(renewed(base, ["total_calculation", "retired_code"], form, stands, today)).toEqual({ base, set: { total: 15 }, was: { total: 99 } });
    expect(renewed(base, ["hours_above_day"], form, stands, today)).toBeNull();
  });
});
