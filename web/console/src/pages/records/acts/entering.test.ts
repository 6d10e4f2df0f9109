import { expect, test } from "vitest";
import { givenOf, unseen } from "./entering.ts";

test("a reason for having no document is not sent beside its number, nor a kind of document without one", () => {
  const typed = { name: "王小明", document_type: "passport", document_missing_reason: "lost", sex: null };
  expect(givenOf({ ...typed, document_number: "E00000001" })).toEqual({ name: "王小明", document_type: "passport", document_number: "E00000001" });
  expect(givenOf({ ...typed, document_number: "" })).toEqual({ name: "王小明", document_number: "", document_missing_reason: "lost" });
});

test("what the server refuses about a field that is not in the form is told all the same", () => {
  expect(unseen({ name: "a", residence_household: "b", "": "c" }, ["name"])).toEqual({ residence_household: "b", "": "c" });
});
