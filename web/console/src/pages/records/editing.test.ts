import { describe, expect, test } from "vitest";
import type { FactField } from "../../api/records.ts";
import { begin, draftOf, patchOf, typedIn } from "./editing.ts";

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
});
