// How well one record fits what was typed, looked at one record at a time. `columns.ts` answers the same for all records of a type
// at once; records that have changed since its columns were made are asked here.

import { soundsAt } from "../pinyin/pinyin.ts";
import type { SearchHit } from "./search-types.ts";
import type { RecordView, Value } from "./types.ts";

export const textOf = (value: Value | undefined): string => (typeof value === "string" ? value : typeof value === "number" ? String(value) : "");
export const listOf = (value: Value | undefined): string[] => (Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : []);
export const plain = (text: string): string => text.normalize("NFKC").toLowerCase().replace(/[\s\-·.]+/g, "");

/** What a house is called behind its number. */
const HOUSES = /([0-9a-z])\s*(?:号楼|#楼|幢|栋|座)/g;
/** What else stands behind a number in an address, and is said or left out. */
const UNITS = /([0-9a-z])\s*(?:单元|弄|号|楼|门|室)/g;

/** A place as neighbours name it: `2幢302`, `2号楼302室` and `2栋-302` are all `-2幢-302`; `2-302` and `2 302` are `-2-302`, where 2 may be an entrance, too. Words
 * before the first number may begin anywhere in a name. Empty where nothing is numbered, and for a number by itself that no house has. */
export function spoken(text: string): string {
  const told = text.normalize("NFKC").toLowerCase().replace(HOUSES, "$1幢-").replace(UNITS, "$1-");
  const parts = told.match(/[0-9a-z]+幢?|[^0-9a-z\s\p{P}\p{S}]+/gu) ?? [];
  const name = parts.join("-");
  if (!/[0-9]/.test(name) || (parts.length < 2 && !name.endsWith("幢"))) return "";
  return /^[0-9a-z]/.test(name) ? `-${name}` : name;
}

/** What neighbours call a place: its address, a door also without its entrance; both with the word for a house and in numbers. */
export function spokenNames(address: string, withoutEntrance: string): string[] {
  const names = [address, withoutEntrance].map(spoken).filter(Boolean).map((name) => (name.startsWith("-") ? name : `-${name}`));
  return [...new Set(names.flatMap((name) => [name, name.replaceAll("幢", "")]))];
}
export const masked = (value: Value | undefined): string =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? textOf((value as Record<string, Value>)["mask"]) : textOf(value);

/** What was typed, looked at once. */
export interface Asked {
  query: string;
  isNumber: boolean;
  hasLetters: boolean;
  onlyLetters: boolean;
  /** The place that it names as neighbours do; empty where it names none. */
  place: string;
}
/** `text`: as it was typed. */
export function askedFor(text: string): Asked {
  const query = plain(text);
  return { query, isNumber: /^[0-9x]+$/.test(query), hasLetters: /[a-z]/.test(query), onlyLetters: /^[a-z]+$/.test(query), place: spoken(text) };
}

/** What a search looks at in one record, but for its address. */
export interface Needle {
  title: string;
  plain: string;
  other: readonly string[];
  phones: readonly string[];
  document: string;
  number: string;
}

export function needleOf({ fields }: RecordView): Needle {
  const title = textOf(fields["name"]) || textOf(fields["door_number"]) || textOf(fields["household_number"]) || textOf(fields["number"]);
  return {
    title,
    plain: plain(title),
    other: listOf(fields["former_names"]).map(plain),
    phones: [...listOf(fields["phones"]), textOf(fields["phone"]), textOf(fields["contact_phone"])].map((one) => one.replace(/\D/g, "")).filter(Boolean),
    document: masked(fields["document_number"]).replace(/[*\s]/g, "").toLowerCase(),
    number: plain(textOf(fields["household_number"]) || textOf(fields["credit_code"])),
  };
}

/** By what a record was found. */
const MATCHED: readonly SearchHit["matched"][] = ["name", "pinyin", "phone", "document", "address", "number"];
export const [BY_NAME, BY_SOUND, BY_PHONE, BY_DOCUMENT, BY_ADDRESS, BY_NUMBER] = [0, 1, 2, 3, 4, 5] as const;
/** How well (0 best) and by what, as one small number. */
export const fit = (rank: number, by: number): number => rank * 8 + by;
export const rankOf = (code: number): number => code >> 3;
export const matchedBy = (code: number): SearchHit["matched"] => MATCHED[code & 7] as SearchHit["matched"];
export const NO_FIT = 255;

/** People and households are found by their door; a person only behind the door itself. */
export const isPlace = (type: string): boolean => type !== "organization" && type !== "person";

/** How well a place fits that was asked for by the very name that neighbours give it. */
export const placeFit = (type: string): number => fit(type === "person" ? 2 : type === "household" ? 1 : 0, BY_ADDRESS);

/** How well a record fits what was typed. `address` as it is compared, `names` those that neighbours give its place. */
export function fits({ query, isNumber, hasLetters, onlyLetters, place }: Asked, type: string, one: Needle, address: () => string, names: () => readonly string[]): number {
  if (one.plain === query) return fit(0, BY_NAME);
  const isAt = place !== "" && (isPlace(type) || type === "person");
  if (isAt && names().some((name) => name.endsWith(place))) return placeFit(type);
  if (isNumber) {
    if (query.length >= 3 && one.phones.some((phone) => phone.endsWith(query))) return fit(1, BY_PHONE);
    if (query.length >= 3 && one.document && (one.document.endsWith(query) || query.endsWith(one.document))) return fit(2, BY_DOCUMENT);
    if (one.number && one.number.endsWith(query)) return fit(3, BY_NUMBER);
    if (query.length >= 3 && one.phones.some((phone) => phone.includes(query))) return fit(4, BY_PHONE);
  }
  if (one.plain) {
    if (one.plain.startsWith(query)) return fit(1, BY_NAME);
    if (one.plain.includes(query) || one.other.some((other) => other.includes(query))) return fit(2, BY_NAME);
    if (hasLetters) {
      const at = soundsAt(query, Array.from(one.title.toLowerCase()));
      if (at >= 0) return fit(at === 0 ? 3 : 5, BY_SOUND);
    }
  }
  if (isPlace(type) && query.length > 1 && (address().includes(query) || (isAt && names().some((name) => name.includes(place))))) return fit(type === "dwelling" ? 6 : 7, BY_ADDRESS);
  if (type === "person" && !onlyLetters && query.length > 2 && address().endsWith(query)) return fit(8, BY_ADDRESS);
  return NO_FIT;
}
