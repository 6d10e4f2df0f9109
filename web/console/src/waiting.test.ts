import { expect, test } from "vitest";
import { firstOf } from "./waiting.ts";

const KINDS = ["conflicts", "duplicates", "quarantine", "findings"];

test("the list that is opened first is the most harmful in which something waits, of what was counted", () => {
  expect([firstOf(KINDS, { conflicts: 0, findings: 2, quarantine: 1 }), firstOf(KINDS, { findings: 3 }), firstOf(KINDS, {})]).toEqual(["quarantine", "findings", "conflicts"]);
});
