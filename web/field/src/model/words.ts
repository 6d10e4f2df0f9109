// Times, sizes and names as people say them.
import type { Notice, RecordView, Value } from "@shared/engine/index.ts";
import { clockAt, dayAt } from "@shared/forms/days.ts";
import { ageOn } from "@shared/forms/visits.ts";
import { language, say, t } from "../i18n.ts";
import { engine, outbox, reference } from "../session.ts";
import { daysSince } from "./freshness.ts";
import { dayOf, today } from "./today.ts";

/** `1.2 MB`, `340 kB`. */
export function megabytes(bytes: number): string {
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.round(bytes / 1000)} kB`;
}

/** `今天 14:05`, `昨天 09:10`, `3 天前`, `2025-11-02`; of nothing: nothing. */
export function timeAgo(when: string | null | undefined, nowMs: number = Date.now()): string {
  void today.value; // after midnight 今天 is 昨天
  const days = daysSince(when, nowMs);
  if (!when || days === null) return "";
  if (days >= 14) return dayOf(when) ?? "";
  if (days > 1) return t("app.time.daysAgo", { n: days });
  return t(days === 0 ? "app.time.today" : "app.time.yesterday", { clock: clockAt(Date.parse(when)) });
}

/** What is on this phone only: entries, photos. */
export function unsentWords(): string {
  const { unsent: n, photos } = outbox.value;
  if (photos === 0) return n > 0 ? t("home.unsent", { n }) : t("home.allSent");
  return n > 0 ? t("home.unsentPhotos", { n, photos }) : t("home.onlyPhotos", { photos });
}

/** Days since a door was seen, in words. */
export function seenWords(days: number | null): string {
  if (days === null) return t("app.seen.never");
  return days === 0 ? t("app.seen.today") : t("app.seen.days", { n: days });
}

/** Label of a code. A code that the list does not know is shown as it is. */
export function codeLabel(codelist: string, code: Value | undefined): string {
  if (code === undefined || code === null || code === "") return "";
  return say(reference.value?.codelists[codelist]?.entries.find((one) => one.code === code)) || String(code);
}

/** Label of a record type. */
export function typeLabel(type: string): string {
  return say(reference.value?.forms[type]?.label) || type;
}

/** Label of a field, of a unit, of a type. */
export function fieldLabel(type: string, field: string): string {
  const form = reference.value?.forms[type];
  return say(form?.fields.find((one) => one.name === field)?.label) || say(form?.units?.find((one) => one.name === field)?.label) || field;
}

/** `60 件`, `60 pieces`: so many of a unit of count. Code lists name one of it; English says it otherwise of many. */
export function countWords(n: Value | undefined, unit: Value | undefined): string {
  const one = codeLabel("measure_unit", unit).toLowerCase();
  const many = language() === "en" && one && n !== 1 ? one + (/(s|x|ch|sh)$/.test(one) ? "es" : "s") : one;
  return `${String(n ?? "")} ${many}`.trim();
}

const MEASURES: ReadonlySet<string> = new Set(["m", "m2", "h", "yuan"]);
/** What a number is counted in; a sign that says it itself stays. */
export function measureWords(measure: string): string {
  return MEASURES.has(measure) ? t(`record.measure.${measure}`) : measure;
}

/** Name of a cell of the phone's. */
export function cellName(cellId: string | null): string {
  if (!cellId) return t("app.cell.none");
  const cell = reference.value?.cells.features.find((one) => one.properties.cell_id === cellId);
  return cell ? cell.properties.name || cell.properties.code : t("app.cell.other");
}

/** Whole years; null without a birth date and before birth. */
export function age(birth: Value | undefined, nowMs: number = Date.now()): number | null {
  return typeof birth === "string" && /^\d{4}-\d{2}-\d{2}$/.test(birth) ? ageOn(birth, dayAt(nowMs)) : null;
}

/** Where a record is: `石皮巷1幢1单元 101`. */
export function addressOf(id: string): string {
  return engine().address(id);
}

/** What a record is called: a name, a door, a thing. */
export function nameOf(view: RecordView | null): string {
  if (view === null) return t("app.notHere");
  const fields = view.fields;
  if (view.type === "household") return householdName(view);
  if (view.type === "visit" || view.type === "check_in" || view.type === "care_status") {
    const about = fields["household"] ?? fields["party_member"] ?? fields["organization"] ?? fields["person"];
    const parent = typeof about === "string" ? engine().read(about) : null;
    return parent ? `${typeLabel(view.type)} · ${nameOf(parent)}` : typeLabel(view.type);
  }
  if (typeof fields["name"] === "string") return fields["name"];
  return addressOf(view.id) || typeLabel(view.type);
}

/** `王某某家 · 3 人`: the head, or the first member; without anybody the kind of household. */
export function householdName(household: RecordView): string {
  const members = engine().members(household.id);
  const head = members.find((one) => one.id === household.fields["head"]) ?? members[0];
  const name = head?.fields["name"];
  if (typeof name !== "string") return members.length ? t("app.household.of", { n: members.length }) : t("app.household.empty");
  return household.fields["kind"] === "family" || members.length === 1 ? t("app.household.family", { name }) : t("app.household.shared", { name });
}

/** A value as a person reads it, by its field; of what this version knows no words for: that. */
export function valueWords(type: string, field: string, value: Value | undefined): string {
  if (value === undefined || value === null || value === "") return t("app.nothing");
  const form = reference.value?.forms[type]?.fields.find((one) => one.name === field);
  if (typeof value === "boolean") return t(value ? "app.yes" : "app.no");
  if (Array.isArray(value) && String(form?.format) === "photo") return t("record.photo.count", { n: value.length });
  const list = (values: readonly Value[]): string => values.map((one) => (form?.codelist ? codeLabel(form.codelist, one) : String(one))).join(language() === "zh" ? "、" : ", ");
  if (Array.isArray(value)) return list(value as readonly Value[]);
  if (form?.codelist) return codeLabel(form.codelist, value);
  if (form?.type === "ref" && typeof value === "string") {
    const view = engine().read(value);
    return view ? [nameOf(view), view.type === "person" ? "" : addressOf(value)].filter((one, i, list) => one && list.indexOf(one) === i).join(" · ") : t("app.notHere");
  }
  if (form?.type === "datetime" && typeof value === "string") return timeAgo(value);
  if (typeof value === "object" && value !== null) {
    const parts = value as Record<string, Value>;
    if (typeof parts["mask"] === "string") return parts["mask"];
    if (typeof parts["lon"] === "number") return t("app.located", { m: Math.round(Number(parts["accuracy_m"] ?? 0)) });
    // What was written as a change: a movement of a stock, what joined a list and what left it.
    if (typeof parts["delta"] === "number") return `${parts["delta"] < 0 ? "−" : "+"} ${Math.abs(parts["delta"])}`;
    const sides = ([["+", parts["add"]], ["−", parts["remove"]]] as const).flatMap(([sign, side]) => (Array.isArray(side) && side.length ? [`${sign} ${list(side as readonly Value[])}`] : []));
    return sides.join(" ") || t("app.unreadable");
  }
  return typeof value === "number" && form?.measure ? `${value} ${measureWords(form.measure)}` : String(value);
}

/** Held, and not for another entry: somebody has to decide, or the server to learn a form. */
export function waitsForPeople(notice: Notice): boolean {
  return notice.kind === "held" && !notice.waitsFor;
}

/** A value as a line of a list may show it: of a secret its end only, also where this person typed it. */
export function valueInBrief(type: string, field: string, value: Value | undefined): string {
  const isSecret = reference.value?.forms[type]?.fields.find((one) => one.name === field)?.privacy === "secret";
  return isSecret && typeof value === "string" && value !== "" ? `****${value.slice(-4)}` : valueWords(type, field, value);
}
