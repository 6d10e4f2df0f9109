// How a roster's columns look: which are shown at first, how wide they are, how a value reads.
import type { RosterColumn, RosterRow } from "../../api/types.ts";
import type { Column } from "../../parts/VirtualTable.vue";
import { cellName } from "../../reference.ts";
import { day, number, when } from "../../tell.ts";
import { comma, language, say, t, word } from "../../words/index.ts";

const USUAL: Record<string, string[]> = {
  persons: ["cell_code", "estate", "building", "entrance", "door_number", "name", "sex", "age", "document_number", "relation_to_head", "presence", "residence_state", "phones", "confirmed_on"],
  household_book: ["cell_code", "estate", "building", "entrance", "door_number", "head_name", "kind", "members_count", "phone", "use", "occupancy", "confirmed_on"],
  care_groups: ["cell_code", "estate", "building", "entrance", "door_number", "name", "sex", "age", "kind", "level", "phones", "presence", "confirmed_on"],
  party_members: ["cell_code", "name", "organization", "branch_text", "in_service", "on_unit_list", "phone", "sex", "age", "presence", "confirmed_on"],
  dwellings: ["cell_code", "estate", "building", "entrance", "door_number", "use", "occupancy", "area_m2", "households_count", "owner_text", "confirmed_on"],
};

const WIDE: Record<string, number> = {
  cell_code: 108, estate: 116, building: 62, entrance: 66, floor_number: 66, door_number: 76, name: 96, head_name: 92, member_name: 92, sex: 72, age: 58,
  phones: 124, phone: 124, contact_phone: 124, owner_phone: 124, members_count: 80, document_number: 108, relation_to_head: 104, presence: 104, residence_state: 104,
  organization: 180, branch_text: 170, credit_code: 180, address_text: 200, registration_address_text: 220, responsible_text: 150, emergency_contacts: 200, keyholder_text: 170, anchor: 150,
};
const BY_TYPE: Record<string, number> = { integer: 84, decimal: 92, boolean: 76, date: 104, datetime: 132, select_one: 104, select_multiple: 160, text_set: 150, text: 130, location: 150 };

const kept = (roster: string) => `dishu.columns.${roster}`;

export function usualColumns(roster: string, columns: RosterColumn[]): string[] {
  const usual = USUAL[roster] ?? columns.map((column) => column.name).slice(0, 13);
  const there = usual.filter((name) => columns.some((column) => column.name === name));
  return there.length ? there : columns.map((column) => column.name);
}

/** What was chosen on this computer, else the usual ones. */
export function keptColumns(roster: string): string[] | null {
  try {
    const read: unknown = JSON.parse(localStorage.getItem(kept(roster)) ?? "null");
    return Array.isArray(read) ? read.map(String) : null;
  } catch {
    return null;
  }
}

export function keepColumns(roster: string, names: string[] | null): void {
  if (names === null) localStorage.removeItem(kept(roster));
  else localStorage.setItem(kept(roster), JSON.stringify(names));
}

export function tableColumn(column: RosterColumn): Column {
  const title = say(column.label) + (column.measure ? ` (${column.measure})` : "");
  const wide = WIDE[column.name] ?? BY_TYPE[column.type] ?? 130;
  const words = [...title].reduce((sum, sign) => sum + (sign > "\u2e80" ? 13 : 7.5), 26);
  return { name: column.name, title, width: Math.max(wide, Math.min(words, 190)), align: ["integer", "decimal"].includes(column.type) ? "right" : "left", sortable: column.type !== "location" };
}

/** What is counted or measured; a whole number that is neither (a year, a floor, the number of something) is written without separators. */
const isQuantity = ({ name, type, measure }: RosterColumn): boolean => type === "decimal" || measure !== null || name.endsWith("_count") || name.endsWith("_count_stated");

/** The text of a cell of the list; labels of codes come from the server in Chinese, ours fill in the other language. */
export function cellText(column: RosterColumn, row: RosterRow): string {
  const value = row[column.name];
  if (value === null || value === undefined || value === "") return "";
  if (column.name === "cell_code") return cellName(String(value));
  const label = row[`${column.name}_label`];
  if (label !== undefined && label !== null) return readLabel(column.name, value, label);
  if (typeof value === "boolean") return t(value ? "common.yes" : "common.no");
  if (typeof value === "number") return isQuantity(column) ? number(value, 2) : String(value);
  if (Array.isArray(value)) return value.join(comma());
  if (column.type === "date") return day(String(value));
  if (column.type === "datetime") return when(String(value));
  if (typeof value === "object") {
    const place = value as { lon?: number; lat?: number };
    return place.lon === undefined ? "" : `${place.lon.toFixed(6)}, ${(place.lat ?? 0).toFixed(6)}`;
  }
  return String(value);
}

let english: ((column: string, code: string) => string | null) | null = null;
/** How the page looks up the English label of a code. */
export function labelCodesBy(find: (column: string, code: string) => string | null): void {
  english = find;
}

function readLabel(column: string, value: unknown, label: unknown): string {
  if (language.value === "en") {
    const codes = (Array.isArray(value) ? value : [value]).map(String);
    const words = codes.map((code) => english?.(column, code) ?? word(`rosters.${column}_${code}`, ""));
    if (words.every(Boolean)) return words.join(", ");
  }
  return Array.isArray(label) ? label.join(comma()) : String(label);
}
