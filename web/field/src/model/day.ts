// The day's work: every household on the phone with when it was last seen, oldest first.
import type { RecordView } from "@shared/engine/index.ts";
import { addressOf } from "./words.ts";
import { engine } from "../session.ts";
import { byNumber } from "./order.ts";
import { confirmedAt, daysSince, dueAfterDays, freshness, later, sawSomebody, type Freshness } from "./freshness.ts";

/** A household as the lists show it. */
export interface Door {
  household: RecordView;
  dwellingId: string | null;
  cellId: string | null;
  /** Days since somebody was met or something was confirmed; null: never. */
  days: number | null;
  state: Freshness;
  /** After so many days it is due. */
  dueAfter: number;
  /** Somebody here is cared for. */
  care: boolean;
  /** Agreed for this day or before. */
  appointment: string | null;
  /** Last outcome of the newest visit: nobody home, refused … */
  lastOutcome: string | null;
  /** Something of mine about this household is not sent yet. */
  pending: boolean;
  address: string;
}

/** Everything that the home screen and the door grids show, made in one pass over the phone's records. */
export interface Day {
  doors: Door[];
  byHousehold: Map<string, Door>;
  /** Due ones: appointments, then never seen, then oldest. */
  due: Door[];
}

/** Look over every household on the phone. `nowMs`: the device's time. */
export function lookOver(nowMs: number): Day {
  const from = engine();
  const newest = new Map<string, RecordView>();
  const seen = new Map<string, string>();
  for (const visit of from.list("visit")) {
    const household = visit.fields["household"];
    const at = visit.fields["visited_at"];
    if (typeof household !== "string" || typeof at !== "string") continue;
    const before = newest.get(household);
    if (before === undefined || Date.parse(String(before.fields["visited_at"])) < Date.parse(at)) newest.set(household, visit);
    if (sawSomebody(visit)) seen.set(household, later(seen.get(household) ?? null, at) as string);
  }
  const levels = new Map<string, string[]>();
  for (const care of from.list("care_status")) {
    if (care.fields["to_date"]) continue;
    const person = care.fields["person"];
    const home = typeof person === "string" ? from.read(person)?.fields["residence_household"] : null;
    if (typeof home === "string") levels.set(home, [...(levels.get(home) ?? []), String(care.fields["level"] ?? "")]);
  }
  const today = localDay(nowMs);
  const doors = from.list("household").map((household): Door => {
    const visit = newest.get(household.id);
    const at = later(seen.get(household.id) ?? null, confirmedAt(household));
    const days = daysSince(at, nowMs);
    const dueAfter = dueAfterDays(levels.get(household.id) ?? []);
    const next = visit?.fields["next_visit_on"];
    const dwelling = household.fields["dwelling"];
    return {
      household,
      dwellingId: typeof dwelling === "string" ? dwelling : null,
      cellId: household.home?.startsWith("cell/") ? household.home.slice(5) : null,
      days,
      state: freshness(days, dueAfter),
      dueAfter,
      care: levels.has(household.id),
      appointment: typeof next === "string" && next <= today ? next : null,
      address: addressOf(household.id),
      lastOutcome: visit ? String(visit.fields["outcome"]) : null,
      pending: household.pendingOps.length > 0 || (visit?.pendingOps.length ?? 0) > 0,
    };
  });
  const due = doors.filter((one) => one.appointment !== null || one.state === "never" || one.state === "stale");
  return { doors, byHousehold: new Map(doors.map((one) => [one.household.id, one])), due: due.sort(byUrgency) };
}

function byUrgency(a: Door, b: Door): number {
  if ((a.appointment === null) !== (b.appointment === null)) return a.appointment === null ? 1 : -1;
  if ((a.days === null) !== (b.days === null)) return a.days === null ? -1 : 1;
  if (a.days === null) return byNumber(a.address, b.address);
  // Somebody who is to be seen weekly and was not for three weeks comes before a door of 100 days.
  return (b.days ?? 0) / b.dueAfter - (a.days ?? 0) / a.dueAfter;
}

/** `2026-03-02` in the phone's own zone. */
export function localDay(nowMs: number): string {
  const now = new Date(nowMs);
  return `${now.getFullYear()}-${String(now.getMonth() + 1).padStart(2, "0")}-${String(now.getDate()).padStart(2, "0")}`;
}
