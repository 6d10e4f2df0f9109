// What is being typed about one record: values, what is shown, what is wrong, and what will be written.
import type { Definition, FieldDefinition, FieldError, Fields, Labels, RecordView, Seen, Value } from "@shared/engine/index.ts";
import { plus } from "@shared/engine/view.ts";
import { arisingOf, calculated, isSilent, stale } from "@shared/forms/calculate.ts";
import { dayAt } from "@shared/forms/days.ts";
import { holds } from "@shared/forms/evaluate.ts";
import { FormRegistry } from "@shared/forms/form.ts";
import { residentIdBirth, residentIdOk, residentIdSex } from "@shared/forms/identity.ts";
import { computed, reactive, ref, shallowRef, type ComputedRef } from "vue";
import { t } from "../i18n.ts";
import { ownCodes } from "../model/lines.ts";
import { engine, reference } from "../session.ts";

/** So many digits are a resident ID, perhaps with a slip, even before anybody has said which document it is. */
const LIKE_RESIDENT_ID = /^\d{14,18}[\dXx]$/;

/** Something that does not fit together: told, never a refusal. */
export interface Finding {
  name: string;
  fields: readonly string[];
  message: Labels;
}

export interface FormDraft {
  form: ComputedRef<Definition | null>;
  /** The record's fields as they were when the form was opened, and what was written from it since. */
  stored: ComputedRef<Fields>;
  /** What a change is written against: never what was pulled behind the open form. */
  seen(): Seen | null;
  /** These fields with what was typed over them, and what is worked out from both. */
  values: ComputedRef<Fields>;
  /** The fields that are shown now, in the order of the screen. */
  shown: ComputedRef<FieldDefinition[]>;
  /** What would be written: only what differs. */
  changes: ComputedRef<Fields>;
  /** Results that stand otherwise than the answers come to: a save writes them, also where no answer was changed. */
  overdue: ComputedRef<Fields>;
  dirty: ComputedRef<boolean>;
  errors: ComputedRef<FieldError[]>;
  findings: ComputedRef<Finding[]>;
  /** Field → why it was filled without typing. */
  filled: Record<string, string>;
  touched: Record<string, boolean>;
  /** Every error is shown from now on. */
  showAll: { value: boolean };
  set(name: string, value: Value): void;
  /** What was typed, to be kept and put back. */
  typed(): Typed | null;
  putBack(typed: Typed): void;
  /** These values were written: they stand now, and only what was typed since is still to be. */
  settle(written: Fields): void;
  /** Back to how it began. */
  reset(): void;
}
export interface Typed {
  edits: Fields;
  touched: string[];
  /** What was shown meanwhile: typed against it, written against it, be it days later. */
  seen?: Seen | null;
}

/** What is masked was not sent to this phone: it can be replaced, not judged. */
export function isMasked(value: Value | undefined): value is { mask: string } {
  return typeof value === "object" && value !== null && !Array.isArray(value) && typeof (value as Record<string, Value>)["mask"] === "string";
}

function same(a: Value | undefined, b: Value | undefined): boolean {
  return (a ?? null) === (b ?? null) || JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}

/**
 * Begin typing about a record, or about a new one.
 *
 * `names`: the fields of the screen; `preset`: values that a new record begins with.
 */
export function useDraft(options: { type: string; record: () => RecordView | null; names: () => readonly string[]; preset?: Fields }): FormDraft {
  const edits = reactive<Fields>({ ...options.preset });
  const touched = reactive<Record<string, boolean>>({});
  const filled = reactive<Record<string, string>>({});
  const showAll = ref(false);
  const form = computed(() => reference.value?.forms[options.type] ?? null);
  const ready = computed(() => new FormRegistry(reference.value).get(options.type));
  const look = (): Seen | null => {
    const view = options.record();
    return view && { version: view.version, fields: view.fields };
  };
  const seen = shallowRef(look());
  const stored = computed<Fields>(() => seen.value?.fields ?? {});
  const today = dayAt(Date.now());

  const values = computed<Fields>(() => {
    const all: Fields = { ...stored.value, ...edits };
    for (const [name, value] of Object.entries(all)) if (value === null || value === "") delete all[name];
    return ready.value ? calculated(ready.value, all, today) : all;
  });
  const byName = computed(() => new Map((form.value?.fields ?? []).map((one) => [one.name, one])));
  const arisingFrom = (fields: Fields) => (ready.value ? arisingOf(ready.value, fields, today) : null);
  const arising = computed(() => arisingFrom(values.value));
  const arises = ({ name }: FieldDefinition, among = arising.value) => among === null || among.has(name);
  const shown = computed(() => options.names().flatMap((name) => byName.value.get(name) ?? []).filter((field) => !isSilent(field) && arises(field)));

  const changes = computed<Fields>(() => {
    const result: Fields = {};
    for (const [name, value] of Object.entries(edits)) {
      const field = byName.value.get(name);
      if (field && (field.calculation || !arises(field))) continue;
      if (!same(value === "" ? null : value, stored.value[name])) result[name] = value === "" ? null : value;
    }
    // A question that does not arise any more loses its old answer with the change that made it so, and what is worked out goes along.
    if (Object.keys(result).length > 0) {
      const before = arisingFrom(stored.value);
      for (const field of form.value?.fields ?? []) {
        if (field.calculation) {
          if (!same(values.value[field.name], stored.value[field.name])) result[field.name] = values.value[field.name] ?? null;
        } else if (stored.value[field.name] !== undefined && arises(field, before) && !arises(field)) result[field.name] = null;
      }
    }
    return result;
  });
  const overdue = computed<Fields>(() => {
    if (ready.value === null || seen.value === null) return {};
    return Object.fromEntries(stale(ready.value, stored.value, today).map((name) => [name, values.value[name] ?? null]));
  });
  const creating = () => seen.value === null;
  const errors = computed(() => {
    if (form.value === null) return [];
    const fields = creating() ? Object.fromEntries(Object.entries(changes.value).filter(([, value]) => value !== null)) : changes.value;
    const lineless = (form.value.fields ?? []).filter(({ name }) => {
      const own = ownCodes(options.type, name);
      return own !== null && (creating() || name in fields) && !own.includes(String(fields[name] ?? ""));
    });
    return [...engine().check(options.type, fields, creating()), ...lineless.map(({ name }) => ({ draft: 0, pointer: `/set/${name}`, code: "required", zh: t("record.ownLine"), en: t("record.ownLine") }))];
  });
  const findings = computed<Finding[]>(() =>
    (form.value?.constraints ?? []).filter((one) => {
      if (!showAll.value && !one.fields.some((name) => touched[name])) return false;
      if (one.fields.some((name) => isMasked(values.value[name]))) return false;
      return !holds(one.holds.tree, asResident(values.value), today);
    }),
  );

  const asResident = (fields: Fields): Fields =>
    fields["document_type"] === undefined && LIKE_RESIDENT_ID.test(String(fields["document_number"] ?? "")) ? { ...fields, document_type: "resident_id" } : fields;

  /** A right resident ID number says birth date and sex; what the person typed there stays. */
  function fillFromNumber(value: Value): void {
    if (typeof value !== "string" || !byName.value.has("birth_date")) return;
    const number = value.trim().toUpperCase();
    if (!residentIdOk(number)) {
      // as long as one and made like one, but wrong: it is taken for one, so that the form's own check speaks
      if (LIKE_RESIDENT_ID.test(number) && number.length === 18 && values.value["document_type"] === undefined && byName.value.has("document_type")) {
        edits["document_type"] = "resident_id";
        filled["document_type"] = "document_number";
      }
      return;
    }
    const found: [string, Value][] = [["birth_date", residentIdBirth(number)], ["birth_precision", "day"], ["sex", residentIdSex(number)], ["document_type", "resident_id"]];
    for (const [name, answer] of found) {
      const empty = values.value[name] === undefined || filled[name] !== undefined;
      if (empty && byName.value.has(name)) {
        edits[name] = answer;
        filled[name] = "document_number";
      }
    }
  }

  return {
    form, stored, values, shown, changes, overdue, errors, findings, filled, touched, showAll,
    seen: () => seen.value,
    dirty: computed(() => Object.keys(changes.value).length > 0),
    set(name, value) {
      if (byName.value.get(name)?.calculation) return;
      edits[name] = typeof value === "string" && value.trim() === "" ? null : value;
      touched[name] = true;
      delete filled[name];
      if (name === "document_number") fillFromNumber(value);
    },
    typed: () => (Object.values(touched).some(Boolean) ? { edits: { ...edits }, touched: Object.keys(touched), seen: seen.value } : null),
    putBack(typed) {
      Object.assign(edits, typed.edits);
      if (typed.seen && seen.value) seen.value = typed.seen;
      for (const name of typed.touched) touched[name] = true;
    },
    settle(written) {
      if (seen.value) {
        const fields: Fields = { ...seen.value.fields };
        for (const [name, value] of Object.entries(written)) {
          const now = byName.value.get(name)?.policy === "add" ? plus(fields[name] ?? null, value) : value;
          if (now === null) delete fields[name];
          else fields[name] = now;
        }
        seen.value = { ...seen.value, fields }; // the own write is no reason to have seen what others wrote: the version stays
      }
      for (const [name, value] of Object.entries(written)) {
        if (!same(edits[name] === "" ? null : edits[name], value)) continue;
        delete edits[name];
        delete touched[name];
      }
    },
    reset() {
      for (const name of Object.keys(edits)) delete edits[name];
      for (const name of Object.keys(touched)) delete touched[name];
      Object.assign(edits, options.preset);
      seen.value = look();
      showAll.value = false;
    },
  };
}

/** The field that an error is about; empty for the record as a whole. */
export function fieldOf(error: FieldError): string {
  return /^\/set\/([^/]+)/.exec(error.pointer)?.[1] ?? "";
}
