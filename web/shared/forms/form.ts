// A definition made ready for use: fields by name, units, policies. Built from what GET /api/v1/reference delivers.

import type { Codelist, Definition, FieldDefinition, Policy, Reference } from "../engine/reference-types.ts";
import type { Fields, Labels, Value } from "../engine/types.ts";

/** What merges as one. */
export interface Unit {
  name: string;
  fields: readonly string[];
  policy: Policy;
  label: Labels;
}

/** One record type. What a form does not know is a unit of its own with the policy `last` (S10). */
export class Form {
  readonly name: string;
  readonly version: number;
  readonly fields = new Map<string, FieldDefinition>();
  readonly units = new Map<string, Unit>();
  /** Names of the fields that refer to a record, with the type they refer to. */
  readonly refs: readonly (readonly [field: string, type: string])[];
  readonly codes = new Map<string, ReadonlySet<string>>();

  constructor(
    readonly definition: Definition,
    codelists: Readonly<Record<string, Codelist>>,
  ) {
    this.name = definition.name;
    this.version = definition.version;
    const declared = new Map((definition.units ?? []).map((unit) => [unit.name, unit]));
    for (const field of definition.fields) {
      this.fields.set(field.name, field);
      const unit = declared.get(field.unit ?? "");
      const isSet = field.type === "text_set" || field.type === "select_multiple";
      this.units.set(
        unit?.name ?? field.name,
        unit ?? { name: field.name, fields: [field.name], policy: field.policy ?? (isSet ? "union" : "last"), label: field.label },
      );
      if (field.codelist) this.codes.set(field.codelist, new Set(codelists[field.codelist]?.entries.map((entry) => entry.code)));
    }
    this.refs = definition.fields.flatMap((field) => (field.type === "ref" ? [[field.name, field.ref_type ?? ""] as const] : []));
  }

  unitOf(field: string): string {
    const unit = this.fields.get(field)?.unit;
    return unit !== undefined && this.units.has(unit) ? unit : field;
  }

  policyOf(field: string): Policy {
    return this.units.get(this.unitOf(field))?.policy ?? "last";
  }

  unitFields(unit: string): readonly string[] {
    return this.units.get(unit)?.fields ?? [unit];
  }

  /** The values grouped by the unit that they belong to, in the order in which units first appear. */
  byUnit(values: Fields): Map<string, Fields> {
    const grouped = new Map<string, Fields>();
    for (const [name, value] of Object.entries(values)) {
      const unit = this.unitOf(name);
      const members = grouped.get(unit);
      if (members) members[name] = value;
      else grouped.set(unit, { [name]: value });
    }
    return grouped;
  }
}

/** Every form that this phone knows. */
export class FormRegistry {
  private readonly built = new Map<string, Form>();

  constructor(private readonly reference: Pick<Reference, "forms" | "codelists"> | null) {}

  /** The newest form of a type; null where the server has not delivered one. */
  get(type: string): Form | null {
    const known = this.built.get(type);
    if (known) return known;
    const definition = this.reference?.forms[type];
    if (!definition) return null;
    const form = new Form(definition, this.reference?.codelists ?? {});
    this.built.set(type, form);
    return form;
  }

  types(): string[] {
    return Object.keys(this.reference?.forms ?? {});
  }
}

/** Whether two values are the same: key order does not matter, the order of a list does; absent and null are one. */
export function same(left: Value | undefined, right: Value | undefined): boolean {
  if (left === right || (left ?? null) === (right ?? null)) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right)) return false;
    return left.length === right.length && left.every((one, at) => same(one, right[at]));
  }
  const first = left as Record<string, Value>;
  const second = right as Record<string, Value>;
  const keys = Object.keys(first);
  return keys.length === Object.keys(second).length && keys.every((key) => key in second && same(first[key], second[key]));
}
