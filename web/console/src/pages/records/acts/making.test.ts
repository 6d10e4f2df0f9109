import { expect, test } from "vitest";
import type { Reference as Delivered } from "@shared/engine/reference-types.ts";
import { FormRegistry } from "@shared/forms/form.ts";
import { vectors } from "@shared/vectors.ts";
import { askedOf, givenTo, makingsOf, type Making } from "./making.ts";

type Page = Parameters<typeof makingsOf>[0];
type Known = Parameters<typeof makingsOf>[1];

const DAY = "2026-03-02";
const page = (type: string, facts: Record<string, unknown> = {}, related: unknown[] = []) =>
  ({ record: { id: "r", type, title: "甲" }, related, units: [{ fields: Object.entries(facts).map(([name, value]) => ({ name, value })) }] }) as unknown as Page;
const known = (more: object = {}) => ({ forms: {}, ...more }) as unknown as Known;
const types = (found: Making[]) => found.map((one) => one.type);

test("a person is entered as a party member once, and checks in from then on; nothing is entered of the dead", () => {
  expect(types(makingsOf(page("person"), known(), DAY))).toEqual(["care_status", "party_member"]);
  const member = (life: string) => page("person", {}, [{ relation: "party_member.person", rows: [{ id: "m", life }] }]);
  expect(makingsOf(member("live"), known(), DAY)[1]).toEqual({ type: "check_in", preset: { subject_kind: "member", party_member: "m" } });
  expect(types(makingsOf(member("ended"), known(), DAY))).toContain("party_member");
  expect(makingsOf(page("person", { vital_status: "deceased" }), known({ surveys: [{ name: "s", subject: "person", field: "person", closed: false }] }), DAY)).toEqual([]);
});

test("who holds a dwelling is entered on its page, and what was done on the page of who did it", () => {
  expect(makingsOf(page("dwelling"), known(), DAY)).toContainEqual({ type: "tenure", preset: { dwelling: "r" } });
  expect(makingsOf(page("check_in"), known(), DAY)).toEqual([{ type: "service_record", preset: { check_in: "r" } }]);
  for (const type of ["party_member", "organization"]) expect(makingsOf(page(type), known(), DAY)).toContainEqual({ type: "service_record", preset: { [type]: "r" } });
});

test("care is offered to whoever may write it", () => {
  expect(types(makingsOf(page("person"), known({ lines_of_work: [] }), DAY))).toEqual(["party_member"]);
  expect(types(makingsOf(page("person"), known({ lines_of_work: ["elderly"] }), DAY))).toContain("care_status");
});

test("a special survey is filled by those whom it asks, while it is open", () => {
  const audience = { tree: { call: "=", args: [{ field: "kind" }, { lit: "family" }] } };
  const survey = { name: "s", subject: "household", field: "household", closed: false };
  const asks = (facts: Record<string, unknown>, more = {}) => types(makingsOf(page("household", facts), known({ surveys: [{ ...survey, ...more }], forms: { s: { audience } } }), DAY));
  expect(asks({ kind: "family" })).toEqual(["visit", "s"]);
  expect(asks({ kind: "collective" })).toEqual(["visit"]);
  expect(asks({ kind: "family" }, { closed: true })).toEqual(["visit"]);
  expect(asks({ kind: "family" }, { subject: "person" })).toEqual(["visit"]);
});

const FORM = {
  name: "s", version: 1, label: { zh: "", en: "" },
  fields: [
    { name: "household", type: "ref", label: { zh: "", en: "" }, privacy: "internal" },
    { name: "outcome", type: "text", label: { zh: "", en: "" }, privacy: "internal" },
    { name: "next_on", type: "date", label: { zh: "", en: "" }, privacy: "internal", relevant: { text: "", tree: { call: "=", args: [{ field: "outcome" }, { lit: "later" }] } } },
    { name: "photos", type: "text_set", label: { zh: "", en: "" }, privacy: "internal" },
  ],
  views: [{ name: "v", label: { zh: "", en: "" }, screens: [{ name: "one", label: { zh: "", en: "" }, fields: ["household", "outcome", "next_on", "photos"], notes: [{ name: "n", label: { zh: "话", en: "words" }, before: "outcome" }] }] }],
};

test("a question is asked when it arises, in its place among the words; an answer that does not belong any more is not sent", () => {
  const form = new FormRegistry({ forms: { s: FORM }, codelists: {} } as unknown as Pick<Delivered, "forms" | "codelists">).get("s")!;
  const asks = (values: Record<string, string>) => askedOf(form, values, { household: "h" }, DAY).map((one) => ("field" in one ? one.field.name : `(${one.note})`));
  expect(asks({ household: "h" })).toEqual(["(n)", "outcome"]);
  expect(asks({ household: "h", outcome: "later" })).toEqual(["(n)", "outcome", "next_on"]);
  expect(givenTo(form, { household: "h", outcome: "met", next_on: DAY }, DAY)).toEqual({ household: "h", outcome: "met" });
  expect(givenTo(form, { household: "h", outcome: "later", next_on: DAY }, DAY)).toHaveProperty("next_on", DAY);
});

test("what a form works out follows the answers, is written with them, and is shown where it has words of its own", () => {
  const { definition, today } = vectors<{ definition: Delivered["forms"][string]; today: string }>("forms/calculations.json");
  const fields = definition.fields.map((one) => (one.name === "total" ? { ...one, label: { zh: "合计", en: "Total" } } : one));
  const form = new FormRegistry({ forms: { well: { ...definition, fields } }, codelists: {} } as unknown as Pick<Delivered, "forms" | "codelists">).get("well")!;
  const given = givenTo(form, { a: 20, b: 5, why: "", total: 99 }, today);
  expect(given).toEqual({ a: 20, b: 5, half: 12, total: 25, big: true, said: "nothing", twice: 40 });
  const asked = askedOf(form, given, {}, today).map((one) => ("field" in one ? one.field.name : ""));
  expect(asked).toEqual(["a", "b", "total", "why", "at", "x"]);
});
