// Whether somebody who is being entered is on this phone already: what speaks for it, and how strongly.

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

/** Judges one person after the other by what was typed; null: nothing speaks for it. */
export function judging(fields: Fields): (view: RecordView) => Scored | null {
  const name = comparable(textOf(fields["name"]));
  const document = textOf(fields["document_number"]).trim().toUpperCase();
  const birth = textOf(fields["birth_date"]);
  const phones = new Set(listOf(fields["phones"]));
  const household = textOf(fields["residence_household"]);
  return (view) => {
    const other = view.fields;
    const held = other["document_number"];
    const sameBirth = birth !== "" && other["birth_date"] === birth;
    const sameHome = household !== "" && other["residence_household"] === household;
    const otherName = name === "" ? "" : comparable(textOf(other["name"]));
    const sameName = name !== "" && (otherName === name || listOf(other["former_names"]).some((one) => comparable(one) === name));
    const alike = !sameName && (sameBirth || sameHome) && soundsAlike(name, otherName);
    const tail = document === "" ? "" : masked(held).replace(/\*/g, "");
    const sameTail = tail.length >= 4 && document.endsWith(tail.toUpperCase());
    const samePhone = phones.size > 0 && listOf(other["phones"]).some((one) => phones.has(one));
    const as = (score: number, zh: string, en: string, certain = false): Scored => ({ score, view, because: { zh, en }, certain });
    if (typeof held === "string" && document !== "" && held === document) return as(100, "证件号码相同", "the same document number", true);
    if (sameTail && (sameBirth || sameName)) return as(90, sameName ? "姓名与证件号后几位相同" : "出生日期与证件号后几位相同", sameName ? "the same name and end of the document number" : "the same birth date and end of the document number");
    if (sameName && sameBirth) return as(80, "姓名与出生日期相同", "the same name and birth date");
    if (sameName && samePhone) return as(70, "姓名与电话相同", "the same name and phone");
    if (sameName && sameHome) return as(60, "同一户里姓名相同", "the same name in the same household");
    if (alike) return as(50, sameBirth ? "姓名同音，出生日期相同" : "同一户里姓名同音", sameBirth ? "a name that sounds alike, the same birth date" : "a name that sounds alike in the same household");
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
