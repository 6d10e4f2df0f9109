// Which field of which form a roster's column shows: the way along the references that the definition names.
import type { FormField, RosterDefinition } from "../../api/types.ts";
import { fieldOf } from "../../reference.ts";

export function fieldOfColumn(roster: RosterDefinition, column: string): FormField | null {
  const found = roster.columns.find((one) => one.name === column);
  const path = Array.isArray(found?.path) ? found.path[0] : found?.path;
  if (!path) return null;
  let type = roster.base;
  const steps = path.split(".");
  for (const step of steps.slice(0, -1)) {
    const next = fieldOf(type, step)?.ref_type;
    if (!next) return null;
    type = next;
  }
  return fieldOf(type, steps[steps.length - 1]!);
}
