// An edit in place is written against what stood on the screen when it began, whatever the page has read since.
import { calculated } from "@shared/forms/calculate.ts";
import type { Fields } from "@shared/engine/types.ts";
import type { Form } from "@shared/forms/form.ts";
import type { FactField, FactUnit, RecordAnswer } from "../../api/records.ts";

/** A fact as it stood when somebody began to change it. */
export interface Begun {
  base: { v: number; tag: string };
  policy: string;
  fields: FactField[];
}

export function begin(record: Pick<RecordAnswer["record"], "v" | "tag">, unit: Pick<FactUnit, "policy" | "fields">): Begun {
  return { base: { v: record.v, tag: record.tag }, policy: unit.policy, fields: unit.fields };
}

/** A secret behind its mask, and a number that is added to, begin empty. */
const startOf = ({ policy }: Begun, field: FactField): unknown => (field.masked || policy === "add" ? null : field.value);

export const draftOf = (begun: Begun): Record<string, unknown> => Object.fromEntries(begun.fields.map((field) => [field.name, startOf(begun, field)]));

const same = (a: unknown, b: unknown) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

export const typedIn = (begun: Begun, draft: Record<string, unknown>): boolean => begun.fields.some((field) => !same(draft[field.name], startOf(begun, field)));

/** What the patch says; null where nothing was changed. */
export function patchOf(begun: Begun, draft: Record<string, unknown>): { base: Begun["base"]; set: Record<string, unknown>; was: Record<string, unknown> } | null {
  const set: Record<string, unknown> = {};
  const was: Record<string, unknown> = {};
  for (const field of begun.fields) {
    const now = draft[field.name] ?? null;
    if (field.masked || begun.policy === "add") {
      if (now !== null) set[field.name] = now;
    } else if (!same(now, field.value)) set[field.name] = now;
    if (!field.masked) was[field.name] = field.value ?? null;
  }
  if (Object.keys(set).length === 0) return null;
  // A unit is one fact: what was on the screen goes with what was changed.
  if (begun.policy !== "add" && begun.policy !== "union") {
    for (const field of begun.fields) if (!(field.name in set) && !field.masked && field.value !== null && field.type !== "location") set[field.name] = field.value;
  }
  return { base: begun.base, set, was };
}

/** A patch with what follows from it: calculated fields of the same record, worked out from all its values. */
export function withCalculated<Patch extends { set: Record<string, unknown>; was: Record<string, unknown> }>(patch: Patch, form: Form, all: Fields, day: string): Patch {
  const after = calculated(form, { ...all, ...patch.set } as Fields, day);
  const moved = [...form.fields.values()].filter((field) => field.calculation && !same(after[field.name], all[field.name])).map((field) => field.name);
  const of = (values: Fields) => Object.fromEntries(moved.map((name) => [name, values[name] ?? null]));
  return { ...patch, set: { ...patch.set, ...of(after) }, was: { ...patch.was, ...of(all) } };
}

/** Only the results that these findings say are wrong, as they follow from the answers; null where there is none. */
export function renewed(base: Begun["base"], findings: readonly string[], form: Form, all: Fields, day: string): { base: Begun["base"]; set: Record<string, unknown>; was: Record<string, unknown> } | null {
  const whole = withCalculated({ base, set: {}, was: {} }, form, all, day);
  const named = Object.keys(whole.set).filter((name) => findings.includes(`${name}_calculation`));
  const of = (values: Record<string, unknown>) => Object.fromEntries(named.map((name) => [name, values[name]]));
  return named.length > 0 ? { base, set: of(whole.set), was: of(whole.was) } : null;
}
