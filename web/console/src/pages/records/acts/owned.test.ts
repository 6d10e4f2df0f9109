import { expect, test } from "vitest";
import { actOf, withoutCodes } from "./owned.ts";

test("where somebody lives, a household's head and door are changed by what happens, not by typing", () => {
  expect([actOf("person", "residence_household", "h"), actOf("person", "residence_household", null), actOf("household", "head", null), actOf("household", "dwelling", "d"), actOf("person", "resident_from", "2026-01-01"), actOf("tenure", "dwelling", "d"), actOf("entrance", "anchor", null)]).toEqual(["left", "came", "head", "move", null, null, "place"]);
});

test("a death is not typed, and one that was recorded wrongly is taken back", () => {
  expect([withoutCodes("person", "vital_status", "living"), withoutCodes("person", "vital_status", "deceased"), withoutCodes("person", "relation_to_head", "20"), withoutCodes("household", "kind", "family")]).toEqual([["deceased"], [], ["02"], []]);
});
