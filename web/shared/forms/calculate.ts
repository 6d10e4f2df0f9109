// Calculated fields: in which order they follow from the answers, and what each comes to. The twin of forms/calculation.py.
// A calculation reads what stands: an answer to a question that does not arise is nothing to it.

import type { FieldDefinition, Tree } from "../engine/reference-types.ts";
import type { Fields, Value } from "../engine/types.ts";
import { msAt } from "./days.ts";
import { dayOf, evaluate, holds, isNull } from "./evaluate.ts";
import type { Form } from "./form.ts";
import { checkFor, Refusal } from "./values.ts";

interface Plan {
  field: FieldDefinition;
  tree: Tree;
  /** What its expression names. */
  reads: ReadonlySet<string>;
  /** All that its value can depend on. */
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

/** Whether a question arises from these values: by its own condition and by that of its screen. */
export function arises(form: Form, name: string, fields: Fields, today: string): boolean {
  return (conditions(form).get(name) ?? []).every((tree) => holds(tree, fields, today));
}

const PLANS = new WeakMap<Form, readonly Plan[]>();

function plansOf(form: Form): readonly Plan[] {
  let plans = PLANS.get(form);
  if (!plans) {
    const near = (name: string): string[] => [form.fields.get(name)?.calculation?.tree, ...(conditions(form).get(name) ?? [])].flatMap(named);
    const far = (name: string): Set<string> => {
      const found = new Set<string>();
      const waiting = near(name);
      for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
        if (found.has(one)) continue;
        found.add(one);
        waiting.push(...near(one));
      }
      return found;
    };
    plans = [...form.fields.values()]
      .flatMap((field) => (field.calculation ? [{ field, tree: field.calculation.tree, reads: new Set(named(field.calculation.tree)), leansOn: far(field.name) }] : []))
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

/**
 * The values with every calculated field as it follows from the answers, whatever stood in it; absent where it comes to nothing.
 * What leans on a value that this device was not given stays as it stands.
 */
export function calculated(form: Form, given: Fields, today: string): Fields {
  const plans = plansOf(form);
  if (plans.length === 0) return given;
  const fields: Fields = { ...given };
  for (const { field } of plans) delete fields[field.name];
  for (const { field, tree, reads, leansOn } of plans) {
    let value: Value | undefined = null;
    if ([...leansOn].some((name) => isMask(given[name]))) value = given[field.name];
    else if (arises(form, field.name, fields, today)) {
      const read = Object.fromEntries([...reads].filter((name) => fields[name] !== undefined && arises(form, name, fields, today)).map((name) => [name, fields[name] as Value]));
      value = fitted(form, field, evaluate(tree, read, today));
    }
    if (value !== null && value !== undefined) fields[field.name] = value;
  }
  return fields;
}

/** Calculated fields, by name. */
export const isCalculated = (form: Form, name: string): boolean => form.fields.get(name)?.calculation !== undefined;

/** What is worked out and has no words of its own is nobody's to read: a workbook's `calculate` without a label. */
export const isSilent = (field: FieldDefinition): boolean => field.calculation !== undefined && field.label.zh === field.name && field.label.en === field.name;
