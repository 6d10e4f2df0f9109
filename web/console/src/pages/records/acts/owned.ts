// Facts that change because something happens: written by hand their day and reason would be lost, so the form leaves them to the dialog.
import { HEAD } from "@shared/forms/acts.ts";
import type { RecordAnswer } from "../../../api/records.ts";
import { valueOf } from "./home.ts";

export type ActName = "left" | "died" | "came" | "newcomer" | "head" | "split" | "join" | "move" | "away" | "place";

/** Where something stands is shown on the map, with what follows from it. */
const ANCHOR = "anchor";
const OWNED: Record<string, ActName> = { "person.residence_household": "left", "household.head": "head", "household.dwelling": "move" };

/** What to do instead of typing into a field; null where it may be typed. */
export function actOf(type: string, field: string, value: unknown): ActName | null {
  const act = field === ANCHOR ? "place" : (OWNED[`${type}.${field}`] ?? null);
  return act === "left" && (value === null || value === undefined) ? "came" : act;
}

/** Whether a record has a place of its own. */
export const hasPlace = (page: Pick<RecordAnswer, "units">): boolean => page.units.some((unit) => unit.fields.some((field) => field.name === ANCHOR));

/** What can happen to a record: nobody who died comes to live anywhere, nor leaves. */
export function actsOf(page: Pick<RecordAnswer, "record" | "units">): ActName[] {
  if (page.record.type === "household") return ["newcomer", "head", "split", "join", "move", "away"];
  if (page.record.type !== "person") return hasPlace(page) ? ["place"] : [];
  const lives = valueOf(page, "residence_household") !== null;
  return isDead(page) ? (lives ? ["died"] : []) : [lives ? "left" : "came", "died", "away"];
}

/** Whether somebody is on record as dead. */
export const isDead = (page: Pick<RecordAnswer, "units">): boolean => valueOf(page, "vital_status") === "deceased";

/** Codes that only such a dialog gives; one that stands may be corrected. */
export function withoutCodes(type: string, field: string, value: unknown): string[] {
  const code = type !== "person" ? null : field === "vital_status" ? "deceased" : field === "relation_to_head" ? HEAD : null;
  return code === null || code === value ? [] : [code];
}
