import { describe, expect, test } from "vitest";
import { aboutDeletion, answered, beginning, bulkChoice, sidesOf, standingOf, typed } from "./deciding.ts";

const sibling = (op_id: string, role: string, stands = false) => ({ op_id, role, stands, by: null, claimed_at: null, arrived_at: null, values: null });
const row = (kind: string, life: string) => ({ kind, record: { id: "r", type: "person", type_label: { zh: "", en: "" }, title: null, v: 1, tag: "t", life, cell: null } });

describe("a conflict about a deletion", () => {
  test("is known by its kind, or by the record having been deleted since", () => {
    expect(aboutDeletion(row("value", "live"))).toBe(false);
    expect(aboutDeletion(row("value", "deleted"))).toBe(true);
    expect(aboutDeletion(row("delete_over_edit", "live"))).toBe(true);
  });
});

describe("what stands", () => {
  const third = { by: null, claimed_at: null, arrived_at: null, values: { name: { value: "C", label: null } } };
  const told = (now: typeof third | null, ...siblings: ReturnType<typeof sibling>[]) => sidesOf({ now, siblings }).map((one) => [one.choose, one.stands, one.earlier]);
  test("is one of the values, or what somebody wrote after them: then it is the first to choose, and what stood before is told apart", () => {
    expect(told(null, sibling("a", "current", true), sibling("b", "set_aside"))).toEqual([["a", true, false], ["b", false, false]]);
    expect(told(third, sibling("a", "current"), sibling("b", "set_aside"))).toEqual([["standing", true, false], ["a", false, true], ["b", false, false]]);
    expect(standingOf(sidesOf({ now: third, siblings: [sibling("a", "current")] }))?.values).toEqual(third.values);
    expect(standingOf(sidesOf({ now: null, siblings: [sibling("a", "overwritten"), sibling("b", "current", true)] }))?.choose).toBe("b");
    expect(standingOf([])).toBeUndefined();
  });
  test("is kept for many by leaving the records alone, whatever was said to stand", () => {
    const siblings = [{ ...sibling("b", "set_aside"), arrived_at: "2026-03-02" }, { ...sibling("a", "current"), arrived_at: "2026-03-01" }];
    expect([bulkChoice({ now: null, siblings }, "current"), bulkChoice({ now: null, siblings }, "latest")]).toEqual(["standing", "b"]);
  });
  test("is the newest where it was written after all those that differ: taking the newest for many never takes back to an older one", () => {
    const siblings = [{ ...sibling("a", "current"), arrived_at: "2026-03-01" }, { ...sibling("b", "set_aside"), arrived_at: "2026-03-02" }];
    expect(bulkChoice({ now: { ...third, arrived_at: "2026-03-03" }, siblings }, "latest")).toBe("standing");
  });
});

describe("another value", () => {
  const { draft, masks } = beginning(["document_type", "document_number", "note"], { document_type: { value: "passport", label: null }, document_number: { value: { mask: "****0001" }, label: null } });
  test("begins with what stands, a secret empty beside its mask", () => {
    expect(draft).toEqual({ document_type: "passport", document_number: null, note: null });
    expect(masks).toEqual({ document_number: "****0001" });
  });
  test("sends only what was typed", () => {
    expect(typed(draft, draft)).toEqual({});
    expect(typed(draft, { ...draft, document_type: "resident" })).toEqual({ document_type: "resident" });
    expect(typed(draft, { ...draft, document_type: null })).toEqual({ document_type: null });
    expect(typed(draft, { ...draft, document_number: null, note: "x" })).toEqual({ note: "x" });
  });
});

test("a repair goes off when each field has a value or is left out on purpose", () => {
  expect(answered(["a", "b"], {}, new Set())).toBe(false);
  expect(answered(["a", "b"], { a: "1", b: "" }, new Set())).toBe(false);
  expect(answered(["a", "b"], { a: 0 }, new Set(["b"]))).toBe(true);
  expect(answered(["a"], { a: [] }, new Set())).toBe(false);
});
