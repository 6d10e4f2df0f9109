import { expect, test } from "vitest";
import { actOf, actsOf, withoutCodes } from "./owned.ts";

test("where somebody lives, a household's head and door are changed by what happens, not by typing", () => {
  expect([actOf("person", "residence_household", "h"), actOf("person", "residence_household", null), actOf("household", "head", null), actOf("household", "dwelling", "d"), actOf("person", "resident_from", "2026-01-01"), actOf("tenure", "dwelling", "d"), actOf("entrance", "anchor", null)]).toEqual(["left", "came", "head", "move", null, null, "place"]);
});

test("a death is not typed, and one that was recorded wrongly is taken back", () => {
  expect([withoutCodes("person", "vital_status", "living"), withoutCodes("person", "vital_status", "deceased"), withoutCodes("person", "relation_to_head", "20"), withoutCodes("household", "kind", "family")]).toEqual([["deceased"], [], ["02"], []]);
});

test("nobody who died moves in, and one who still lives somewhere on record can only have the death told in full", () => {
  const person = (facts: Record<string, unknown>) => ({ record: { type: "person" }, units: [{ fields: Object.entries(facts).map(([name, value]) => ({ name, value })) }] }) as unknown as Parameters<typeof actsOf>[0];
  expect(actsOf(person({ vital_status: "deceased", residence_household: null }))).toEqual([]);
  expect(actsOf(person({ vital_status: "deceased", residence_household: "h" }))).toEqual(["died"]);
  expect([actsOf(person({ vital_status: "living" }))[0], actsOf(person({ residence_household: "h" }))[0]]).toEqual(["came", "left"]);
});
