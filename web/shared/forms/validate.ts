// Judging what was typed by the form, before anything is written. The twin of forms/validate.py.

import type { Fields, Value } from "../engine/types.ts";
import { evaluate, isTrue } from "./evaluate.ts";
import type { Form } from "./form.ts";
import { checkFor, Refusal, wrong, type Wrong } from "./values.ts";

/** An error with its pointer into the operation (`/set/phones/add/0`). */
export type FieldWrong = Omit<Wrong, "tail"> & { pointer: string };

const CHECKS = new WeakMap<Form, Map<string, (value: Value) => Value>>();

function checks(form: Form): Map<string, (value: Value) => Value> {
  let found = CHECKS.get(form);
  if (!found) {
    found = new Map([...form.fields.values()].map((field) => [field.name, checkFor(form, field, form.policyOf(field.name))]));
    CHECKS.set(form, found);
  }
  return found;
}

/**
 * Values in their normal form, without those that were refused, and all errors at once in the order of the definition.
 * Unknown fields are kept untouched; null clears, and is refused for a required field; an empty text is null.
 * `creating` also reports required fields that are missing.
 */
export function validate(form: Form, values: Fields, creating: boolean): { normal: Fields; errors: FieldWrong[] } {
  const judged = new Map<string, Value>();
  const errors: FieldWrong[] = [];
  const check = checks(form);
  for (const field of form.fields.values()) {
    const isGiven = Object.prototype.hasOwnProperty.call(values, field.name);
    if (!isGiven && !(creating && field.required)) continue;
    try {
      const given = isGiven ? (values[field.name] ?? null) : null;
      const normal = given === null ? null : (check.get(field.name) as (value: Value) => Value)(given);
      if (normal === null && field.required) throw new Refusal([wrong("required")]);
      judged.set(field.name, normal);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      errors.push(...refusal.wrongs.map(({ tail, ...rest }) => ({ ...rest, pointer: `/set/${field.name}${tail}` })));
    }
  }
  const normal: Fields = {};
  for (const [name, value] of Object.entries(values)) {
    if (!form.fields.has(name)) normal[name] = value;
    else if (judged.has(name)) normal[name] = judged.get(name) as Value;
  }
  return { normal, errors };
}

/** Conditions over several fields that do not hold, by the definition: findings, never refusals (S7). */
export function findings(form: Form, fields: Fields, today: string): { name: string; fields: readonly string[]; zh: string; en: string }[] {
  return (form.definition.constraints ?? [])
    .filter((rule) => !isTrue(evaluate(rule.holds.tree, fields, today)))
    .map((rule) => ({ name: rule.name, fields: rule.fields, zh: rule.message.zh, en: rule.message.en }));
}
