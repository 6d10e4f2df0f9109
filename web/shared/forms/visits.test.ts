import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { vectors } from "../vectors.ts";
import { arrangement, dueVisits, inForce, personStates, standing, type Due, type HouseholdFacts, type Resident, type VisitRules } from "./visits.ts";

const rules = JSON.parse(readFileSync(new URL("../../../forms/rules/visits.json", import.meta.url), "utf8")) as VisitRules;
const file = vectors<{ today: string; cases: [string, HouseholdFacts, Omit<Due, "household_id">, boolean][]; generated: [HouseholdFacts[], Due[]][] }>("forms/visits.json");

test.each(file.cases)("the phone knows who is due as the office does: %s", (_name, facts, stands, due) => {
  expect(standing(rules, facts)).toStrictEqual({ household_id: facts.household_id, ...stands });
  expect(dueVisits(rules, [facts], file.today).length).toBe(due ? 1 : 0);
});

test("the order of a day is the same on the phone and at the office", () => {
  for (const [facts, due] of file.generated) expect(dueVisits(rules, facts, file.today)).toStrictEqual(due);
});

const dwelling = vectors<{ dwelling: string; day: string; states: { case: string; persons: Resident[]; states: Record<string, string> }[]; arrangements: { case: string; persons: Resident[]; arrangement: string }[]; in_force: { case: string; to_date: string | null; in_force: boolean }[] }>("forms/dwelling_facts.json");

test.each(dwelling.arrangements)("who lives alone is the same on the phone: $case", (one) => {
  expect(arrangement(dwelling.dwelling, one.persons, dwelling.day)).toBe(one.arrangement);
});

test.each(dwelling.states)("who lives and who is registered behind a door is the same on the phone: $case", (one) => {
  expect(personStates(dwelling.dwelling, one.persons)).toStrictEqual(one.states);
});

test.each(dwelling.in_force)("care that ends is in force to its last day: $case", (one) => {
  expect(inForce(one.to_date, dwelling.day)).toBe(one.in_force);
});
