// What of a recovered copy can be written back, and what is ticked for it.
import type { ConflictValue } from "../../api/records.ts";
import type { Label } from "../../api/types.ts";

export interface Unit {
  unit: string;
  label: Label;
  fields: { name: string; label: Label; copy: ConflictValue; now: ConflictValue }[];
  state: "same" | "only_here" | "only_copy" | "differs" | "joined";
  why_not: "masked" | "counted" | "gone" | null;
}
export interface Copy {
  recovery_id: string;
  units: Unit[];
}

export const can = (unit: Unit): boolean => unit.why_not === null && ["only_copy", "differs", "joined"].includes(unit.state);

/** The facts of which the copy says something that does not stand already. */
export const news = (copy: Copy): Unit[] => copy.units.filter((unit) => unit.state !== "same" && unit.state !== "only_here");

/** A tick is about what stood when it was set: beside another value it is asked for anew. */
export const keyOf = (copy: Copy, unit: Unit): string => JSON.stringify([copy.recovery_id, unit.unit, unit.fields.map((field) => field.now.value ?? null)]);

/** What only the copy has, or adds, is ticked from the start; what differs is not. */
export const isTicked = (ticked: Readonly<Record<string, boolean>>, copy: Copy, unit: Unit): boolean => can(unit) && (ticked[keyOf(copy, unit)] ?? unit.state !== "differs");

export const chosen = (ticked: Readonly<Record<string, boolean>>, copy: Copy): string[] => news(copy).filter((unit) => isTicked(ticked, copy, unit)).map((unit) => unit.unit);
