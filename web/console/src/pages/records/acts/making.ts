// What is entered anew: from the page of a record with what is known there, or from a list. Its fields are those of the form's own view.
import type { Fields } from "@shared/engine/types.ts";
import type { Form } from "@shared/forms/form.ts";
import { arisingOf, calculated, isSilent, standingOf } from "@shared/forms/calculate.ts";
import { holds } from "@shared/forms/evaluate.ts";
import type { FieldDefinition } from "@shared/engine/reference-types.ts";
import type { RecordAnswer } from "../../../api/records.ts";
import type { Reference } from "../../../api/types.ts";
import { isDead } from "./owned.ts";

export interface Making {
  type: string;
  /** What is known already; of what only the screen knows, a field that refers to where one came. */
  preset: Fields;
}

type Page = Pick<RecordAnswer, "record" | "units" | "related">;
type Known = Pick<Reference, "surveys" | "lines_of_work" | "forms">;

/** What can be entered from a list, by the name of the roster. */
export const FROM_LIST: Readonly<Record<string, readonly string[]>> = {
  dwellings: ["dwelling"], buildings: ["building", "estate"], organizations: ["organization"], resources: ["resource"],
};
/** Records that stand for themselves: whoever enters one wants to see it, the others belong to the page on which they were entered. */
const OWN_PAGE = new Set(["estate", "building", "entrance", "dwelling", "household", "organization", "resource"]);
export const hasOwnPage = (type: string): boolean => OWN_PAGE.has(type);

/** What a record of a type begins with, wherever it is entered. */
export function usual(type: string, day: string, now: string): Fields {
  if (type === "visit") return { method: "door", visited_at: now };
  if (type === "care_status") return { from_date: day };
  if (type === "service_record") return { served_on: day };
  if (type === "check_in") return { state: "registered", registered_on: day };
  if (type === "party_member") return { political_code: "01" };
  if (type === "dwelling") return { use: "home", expected: true };
  if (type === "household") return { kind: "family" };
  return {};
}

function fromPerson({ record, related, units }: Page, { lines_of_work }: Known): Making[] {
  if (isDead({ units })) return [];
  const member = related.find((one) => one.relation === "party_member.person")?.rows.find((one) => one.life === "live");
  return [
    // a community worker writes care of their own lines of work only
    ...(lines_of_work?.length === 0 ? [] : [{ type: "care_status", preset: { person: record.id } }]),
    member ? { type: "check_in", preset: { subject_kind: "member", party_member: member.id } } : { type: "party_member", preset: { person: record.id, name: record.title } },
  ];
}

/** Who checks in, and what they did. */
const ofWhoServes = (kind: string, field: string) => ({ record }: Page): Making[] => [
  { type: "check_in", preset: { subject_kind: kind, [field]: record.id } },
  { type: "service_record", preset: { [field]: record.id } },
];

const FROM_PAGE: Readonly<Record<string, (page: Page, known: Known) => Making[]>> = {
  household: ({ record }) => [{ type: "visit", preset: { household: record.id } }],
  person: fromPerson,
  party_member: ofWhoServes("member", "party_member"),
  organization: ofWhoServes("organization", "organization"),
  check_in: ({ record }) => [{ type: "service_record", preset: { check_in: record.id } }],
  estate: ({ record }) => [{ type: "building", preset: { estate: record.id } }],
  building: ({ record }) => [{ type: "entrance", preset: { building: record.id } }, { type: "dwelling", preset: { building: record.id } }],
  entrance: ({ record }) => [{ type: "dwelling", preset: { entrance: record.id } }],
  dwelling: ({ record }) => [{ type: "household", preset: { dwelling: record.id } }, { type: "tenure", preset: { dwelling: record.id } }],
};

/** Open special surveys that ask this household or person (专项调查). */
function surveysOf({ record, units }: Page, known: Known, day: string): Making[] {
  const fields = Object.fromEntries(units.flatMap((unit) => unit.fields).map((one) => [one.name, one.value])) as Fields;
  return (known.surveys ?? [])
    .filter((one) => !one.closed && one.subject === record.type && one.field !== null && holds(known.forms[one.name]?.audience?.tree, fields, day))
    .map((one) => ({ type: one.name, preset: { [one.field!]: record.id } }));
}

/** What can be entered on the page of a record. */
export function makingsOf(page: Page, known: Known, day: string): Making[] {
  const { type } = page.record;
  return [...(FROM_PAGE[type]?.(page, known) ?? []), ...(type === "person" && isDead(page) ? [] : surveysOf(page, known, day))];
}

/** What is asked, in the order of the form's view: a field, or words of a survey between two questions. */
export type Asked = { note: string; label: { zh: string; en: string } } | { field: FieldDefinition };

/** Fields that nobody types here: photos are taken at the door, tries are counted there, a head is one of the members that come later,
 *  and a check-in is on whose page one came from. */
const ELSEWHERE = new Set(["photos", "attempt_number", "head", "check_in"]);

/** The questions that arise from what was answered so far; what is preset by where one came is no question. */
export function askedOf(form: Form, given: Fields, preset: Fields, day: string): Asked[] {
  const [arising, standing] = [arisingOf(form, given, day), standingOf(form, given, day)];
  const open = (form.definition.views?.[0]?.screens ?? []).filter((screen) => holds(screen.relevant?.tree, standing, day));
  return open.flatMap((screen) => {
    const notes = (screen.notes ?? []).filter((one) => holds(one.relevant?.tree, standing, day));
    const told = (before: string | null) => notes.filter((one) => (one.before ?? null) === before).map((one) => ({ note: one.name, label: one.label }));
    const fields = screen.fields.flatMap((name) => {
      const field = form.fields.get(name);
      const isAsked = field && arising.has(name) && !(name in preset) && !ELSEWHERE.has(name) && !isSilent(field);
      return [...told(name), ...(isAsked ? [{ field }] : [])];
    });
    return [...fields, ...told(null)];
  });
}

/** What is written of it: what was answered, of questions that arise, and what is worked out from it. */
export function givenTo(form: Form, values: Fields, day: string): Fields {
  const filled = calculated(form, Object.fromEntries(Object.entries(values).filter(([, one]) => one !== null && one !== undefined && one !== "")) as Fields, day);
  const arising = arisingOf(form, filled, day);
  return Object.fromEntries(Object.entries(filled).filter(([name]) => arising.has(name)));
}
