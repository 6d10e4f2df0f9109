// What is listed and entered by its form alone, on the page of a record that it names: no screen is made for it by hand.
import type { RecordView } from "@shared/engine/index.ts";
import { engine, reference } from "../session.ts";
import { valueWords } from "./words.ts";

const BY_FORM = ["tenure", "service_record"];

export interface Hanging {
  type: string;
  /** The field that names the record. */
  field: string;
  rows: RecordView[];
  /** Whether one more begins here: a field that is asked for on a condition is no beginning. */
  begins: boolean;
}

/** What names a record of a type, by type and field; without rows, too. */
export function hangingOn(record: Pick<RecordView, "id" | "type">): Hanging[] {
  return BY_FORM.flatMap((type) =>
    (reference.value?.forms[type]?.fields ?? [])
      .filter((field) => field.ref_type === record.type)
      .map((field) => ({ type, field: field.name, rows: engine().list(type, { [field.name]: record.id }), begins: !field.relevant })),
  );
}

/** The first answers of a record in words, by the order of its form: what it is, and up to three more. */
export function inBrief(view: RecordView, without: string): string[] {
  const form = reference.value?.forms[view.type];
  const names = (form?.views?.[0]?.screens ?? []).flatMap((one) => one.fields).filter((name) => name !== without && view.fields[name] !== undefined);
  const must = names.filter((name) => form?.fields.find((one) => one.name === name)?.required);
  return [...must, ...names.filter((name) => !must.includes(name))].slice(0, 4).map((name) => valueWords(view.type, name, view.fields[name]));
}
