// Whether somebody who is being entered is on this phone already: what speaks for it, and how strongly.

import { residentIdBirth } from "../forms/identity.ts";
import { comparable, soundsAlike } from "../pinyin/pinyin.ts";
import { listOf, masked, textOf } from "./matching.ts";
import type { Fields, Labels, RecordView } from "./types.ts";

const MOST = 20;

/** Somebody who may be the one being entered. */
export interface Suspect {
  view: RecordView;
  because: Labels;
  certain: boolean;
}
export interface Scored extends Suspect {
  score: number;
}

/** A document number as it is compared: width, case and spaces do not count. */
const plainNumber = (number: string): string => number.normalize("NFKC").replace(/\s/g, "").toUpperCase();

/**
 * Judges one person after the other by what was typed; null: nothing speaks for it. `doorOf` leads from a household to its dwelling: two
 * households behind one door are one home. Whole numbers are compared with those that this phone itself has typed; of all others it holds
 * four characters (docs/adr/0004).
 */
export function judging(fields: Fields, doorOf: (household: string) => string = (household) => household): (view: RecordView) => Scored | null {
  const name = comparable(textOf(fields["name"]));
  const document = plainNumber(textOf(fields["document_number"]));
  const births = new Set([textOf(fields["birth_date"]), residentIdBirth(document) ?? ""].filter(Boolean));
  const phones = new Set(listOf(fields["phones"]));
  const door = doorOf(textOf(fields["residence_household"]));
  return (view) => {
    const other = view.fields;
    const held = other["document_number"];
    const sameBirth = births.has(textOf(other["birth_date"]));
    const sameHome = door !== "" && doorOf(textOf(other["residence_household"])) === door;
    const otherName = name === "" ? "" : comparable(textOf(other["name"]));
    const sameName = name !== "" && (otherName === name || listOf(other["former_names"]).some((one) => comparable(one) === name));
    const alike = !sameName && (sameBirth || sameHome) && soundsAlike(name, otherName);
    const tail = document === "" ? "" : masked(held).replace(/\*/g, "");
    const sameTail = tail.length >= 4 && document.endsWith(tail.toUpperCase());
    const samePhone = phones.size > 0 && listOf(other["phones"]).some((one) => phones.has(one));
    const as = (score: number, zh: string, en: string, certain = false): Scored => ({ score, view, because: { zh, en }, certain });
    if (typeof held === "string" && document !== "" && plainNumber(held) === document) return as(100, "证件号码相同", "the same document number", true);
    if (sameTail && (sameBirth || sameName)) return as(90, sameName ? "姓名与证件号后几位相同" : "出生日期与证件号后几位相同", sameName ? "the same name and end of the document number" : "the same birth date and end of the document number");
    if (sameName && sameBirth) return as(80, "姓名与出生日期相同", "the same name and birth date");
    if (sameName && samePhone) return as(70, "姓名与电话相同", "the same name and phone");
    if (sameName && sameHome) return as(60, "同一房屋内姓名相同", "the same name behind the same door");
    if (alike) return as(50, sameBirth ? "姓名同音，出生日期相同" : "同一房屋内姓名同音", sameBirth ? "a name that sounds alike, the same birth date" : "a name that sounds alike behind the same door");
    return sameName ? as(20, "姓名相同", "the same name") : null;
  };
}

/** The most likely ones first. */
export function likeliest(found: readonly (Scored | null)[]): Suspect[] {
  return found
    .filter((one) => one !== null)
    .sort((one, two) => two.score - one.score || (one.view.id < two.view.id ? -1 : 1))
    .slice(0, MOST)
    .map(({ view, because, certain }) => ({ view, because, certain }));
}
