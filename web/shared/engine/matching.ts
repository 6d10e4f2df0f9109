// How well one record fits what was typed, looked at one record at a time. `columns.ts` answers the same for all records of a type
// at once; records that have changed since its columns were made are asked here.

import { soundsAt } from "../pinyin/pinyin.ts";
import type { SearchHit } from "./search-types.ts";
import type { RecordView, Value } from "./types.ts";

export const textOf = (value: Value | undefined): string => (typeof value === "string" ? value : typeof value === "number" ? String(value) : "");
export const listOf = (value: Value | undefined): string[] => (Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : []);
export const plain = (text: string): string => text.normalize("NFKC").toLowerCase().replace(/[\s\-·.]+/g, "");
export const masked = (value: Value | undefined): string =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? textOf((value as Record<string, Value>)["mask"]) : textOf(value);

/** What was typed, looked at once. */
export interface Asked {
  query: string;
  isNumber: boolean;
  hasLetters: boolean;
  onlyLetters: boolean;
}
export const askedFor = (query: string): Asked => ({ query, isNumber: /^[0-9x]+$/.test(query), hasLetters: /[a-z]/.test(query), onlyLetters: /^[a-z]+$/.test(query) });

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

/** How well a record fits what was typed. `address` as it is compared. */
export function fits({ query, isNumber, hasLetters, onlyLetters }: Asked, type: string, one: Needle, address: () => string): number {
  if (one.plain === query) return fit(0, BY_NAME);
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
  if (isPlace(type) && query.length > 1 && address().includes(query)) return fit(type === "dwelling" ? 6 : 7, BY_ADDRESS);
  if (type === "person" && !onlyLetters && query.length > 2 && address().endsWith(query)) return fit(8, BY_ADDRESS);
  return NO_FIT;
}
