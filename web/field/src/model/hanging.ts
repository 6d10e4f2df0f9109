// What is listed and entered by its form alone, on the page of a record that it names: no screen is made for it by hand.
import type { RecordView } from "@shared/engine/index.ts";
import { inForce } from "@shared/forms/visits.ts";
import { engine, reference } from "../session.ts";
import { today } from "./today.ts";
import { fieldLabel, valueWords } from "./words.ts";

const BY_FORM = ["tenure", "service_record"];

export interface Hanging {
  type: string;
  /** The field that names the record. */
  field: string;
  rows: RecordView[];
  /** Whether one more begins here: a field that is asked for on a condition is no beginning. */
  begins: boolean;
}

const dayOf = (view: RecordView, name: string): string => String(view.fields[name] ?? "");
const endsOn = (view: RecordView): string | undefined => dayOf(view, "to_date") || undefined;

/** What holds today before what has ended, the newest first. */
function newestFirst(one: RecordView, other: RecordView): number {
  const [ended, otherEnded] = [one, other].map((view) => Number(!inForce(endsOn(view), today.value))) as [number, number];
  const began = (view: RecordView) => dayOf(view, "served_on") || dayOf(view, "from_date");
  return ended - otherEnded || (began(one) < began(other) ? 1 : began(one) > began(other) ? -1 : 0);
}

/** What names a record of a type, by type and field; without rows, too. */
export function hangingOn(record: Pick<RecordView, "id" | "type">): Hanging[] {
  return BY_FORM.flatMap((type) =>
    (reference.value?.forms[type]?.fields ?? [])
      .filter((field) => field.ref_type === record.type)
      .map((field) => ({ type, field: field.name, rows: engine().list(type, { [field.name]: record.id }).sort(newestFirst), begins: !field.relevant })),
  );
}

/** The first answers of a record in words, by the order of its form: what it is, and up to three more; and until when. */
export function inBrief(view: RecordView, without: string): string[] {
  const form = reference.value?.forms[view.type];
  const names = (form?.views?.[0]?.screens ?? []).flatMap((one) => one.fields).filter((name) => name !== without && view.fields[name] !== undefined);
  const must = names.filter((name) => form?.fields.find((one) => one.name === name)?.required);
  const first = [...must, ...names.filter((name) => !must.includes(name) && name !== "to_date")].slice(0, 4).map((name) => valueWords(view.type, name, view.fields[name]));
  return endsOn(view) === undefined ? first : [...first, `${fieldLabel(view.type, "to_date")} ${valueWords(view.type, "to_date", view.fields["to_date"])}`];
}
