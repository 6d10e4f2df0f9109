// Calculated fields: in which order they follow from the answers, and what each comes to. The twin of forms/calculation.py.
// Calculations and conditions read what stands: an answer to a question that does not arise is nothing to them.

import type { FieldDefinition, Tree } from "../engine/reference-types.ts";
import type { Fields, Value } from "../engine/types.ts";
import { msAt } from "./days.ts";
import { dayOf, evaluate, holds, isNull } from "./evaluate.ts";
import type { Form } from "./form.ts";
import { checkFor, Refusal } from "./values.ts";

interface Plan {
  field: FieldDefinition;
  conditions: readonly Tree[];
  /** All that its value, and whether it arises, can depend on; itself only where it needs its own value. */
  leansOn: ReadonlySet<string>;
}

function named(tree: Tree | undefined): string[] {
  if (tree === undefined) return [];
  return "field" in tree ? [tree.field] : "args" in tree ? tree.args.flatMap(named) : [];
}

const CONDITIONS = new WeakMap<Form, Map<string, Tree[]>>();

/** Field to the conditions under which it arises: its own, and those of its screen. */
function conditions(form: Form): Map<string, Tree[]> {
  let found = CONDITIONS.get(form);
  if (!found) {
    found = new Map([...form.fields.values()].flatMap((field) => (field.relevant ? [[field.name, [field.relevant.tree]]] : [])));
    for (const screen of form.definition.views?.[0]?.screens ?? []) {
      if (screen.relevant) for (const name of screen.fields) found.set(name, [...(found.get(name) ?? []), screen.relevant.tree]);
    }
    CONDITIONS.set(form, found);
  }
  return found;
}

const PLANS = new WeakMap<Form, readonly Plan[]>();

/** Every field behind those that it leans on. */
function plansOf(form: Form): readonly Plan[] {
  let plans = PLANS.get(form);
  if (!plans) {
    const near = new Map([...form.fields.values()].map((field) => [field.name, [field.calculation?.tree, ...(conditions(form).get(field.name) ?? [])].flatMap(named)]));
    const far = (name: string): Set<string> => {
      const found = new Set<string>();
      const waiting = [...(near.get(name) ?? [])];
      for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
        if (found.has(one)) continue;
        found.add(one);
        waiting.push(...(near.get(one) ?? []));
      }
      return found;
    };
    plans = [...form.fields.values()]
      .map((field) => ({ field, conditions: conditions(form).get(field.name) ?? [], leansOn: far(field.name) }))
      .sort((a, b) => a.leansOn.size - b.leansOn.size); // what one leans on leans on less
    PLANS.set(form, plans);
  }
  return plans;
}

const isMask = (value: Value | undefined): boolean => typeof value === "object" && value !== null && !Array.isArray(value) && "mask" in value;

/** The value as its field holds it: whole for a whole number, a day for a date, midnight in China for an instant. */
function fitted(form: Form, field: FieldDefinition, value: Value): Value {
  if (isNull(value)) return null;
  let made = value;
  if (field.type === "integer" && typeof value === "number") made = Math.trunc(value);
  else if (field.type === "date") made = dayOf(value) ?? value;
  else if (field.type === "datetime" && typeof value === "string" && value.length === 10 && dayOf(value) !== null) made = new Date(msAt(`${value}T00:00`)).toISOString().replace(".000Z", "Z");
  try {
    return checkFor(form, field, form.policyOf(field.name))(made);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    return made; // the form's own check says what is wrong with it
  }
}

/** The answers that stand with what follows from them, and the names of all fields that arise. */
function workedOut(form: Form, given: Fields, today: string): { standing: Fields; arising: Set<string> } {
  const plans = plansOf(form);
  // whether a question in a circle arises hangs on its own answer: what was answered stands, for the others
  const standing: Fields = Object.fromEntries(
    plans.filter(({ field, leansOn }) => !field.calculation && leansOn.has(field.name) && given[field.name] !== undefined).map(({ field: { name } }) => [name, given[name] as Value]),
  );
  const arising = new Set<string>();
  for (const { field, conditions, leansOn } of plans) {
    if (!conditions.every((tree) => holds(tree, standing, today))) continue;
    arising.add(field.name);
    const isKept = !field.calculation || [...leansOn].some((name) => isMask(given[name]));
    const value = isKept ? given[field.name] : fitted(form, field, evaluate(field.calculation!.tree, standing, today));
    if (value !== null && value !== undefined) standing[field.name] = value;
  }
  return { standing, arising };
}

/** Names of the questions that arise from these values: by their own condition and that of their screen, which see only answers that arise. */
export const arisingOf = (form: Form, fields: Fields, today: string): Set<string> => workedOut(form, fields, today).arising;

/** Only those of the values that stand: what was answered to questions that arise, and what follows from it. */
export const standingOf = (form: Form, fields: Fields, today: string): Fields => workedOut(form, fields, today).standing;

/**
 * The values with every calculated field as it follows from the answers, whatever stood in it; absent where it comes to nothing.
 * What leans on a value that this device was not given stays as it stands.
 */
export function calculated(form: Form, given: Fields, today: string): Fields {
  const plans = plansOf(form).filter(({ field }) => field.calculation);
  if (plans.length === 0) return given;
  const { standing } = workedOut(form, given, today);
  const fields: Fields = { ...given };
  for (const { field: { name }, leansOn } of plans) {
    if ([...leansOn].some((one) => isMask(given[one]))) continue;
    if (standing[name] === undefined) delete fields[name];
    else fields[name] = standing[name];
  }
  return fields;
}

const byDay = (tree: Tree): boolean => "call" in tree && (tree.call === "today" || tree.args.some(byDay));

/** As the server compares them: another program's last digits are no other value. */
const alike = (a: Value | undefined, b: Value | undefined): boolean =>
  typeof a === "number" && typeof b === "number" ? Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b)) : JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

/**
 * Results that stand otherwise than the answers come to: those that the server raises a finding for. What the day decides is right as of
 * its own day; what leans on a value that this device was not given, or needs itself, nobody here can say.
 */
export function stale(form: Form, fields: Fields, today: string): string[] {
  const plans = new Map(plansOf(form).map((plan) => [plan.field.name, plan]));
  const right = calculated(form, fields, today);
  return [...plans.values()].flatMap(({ field, leansOn }) => {
    if (!field.calculation || alike(fields[field.name], right[field.name])) return [];
    const near = [field.name, ...leansOn].flatMap((name) => plans.get(name) ?? []);
    const isOpen = near.some((one) => (one.field.calculation && one.leansOn.has(one.field.name)) || [one.field.calculation?.tree, ...one.conditions].some((tree) => tree && byDay(tree)));
    return isOpen ? [] : [field.name];
  });
}

/** Calculated fields, by name. */
export const isCalculated = (form: Form, name: string): boolean => form.fields.get(name)?.calculation !== undefined;

/** What is worked out and has no words of its own is nobody's to read: a workbook's `calculate` without a label. */
export const isSilent = (field: FieldDefinition): boolean => field.calculation !== undefined && field.label.zh === field.name && field.label.en === field.name;
