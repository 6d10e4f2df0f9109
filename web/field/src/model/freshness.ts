// How long ago somebody stood at the door: what colours the doors and orders the day.
import type { RecordView } from "@shared/engine/index.ts";
import { dayAt } from "@shared/forms/days.ts";
import { dayOf } from "./today.ts";

const DAY_MS = 86_400_000;
/** Days after which a household is due; two thirds of it: ageing. */
export const DUE_DAYS = 90;
/** Outcomes of a visit after which something is known about the household. */
const SEEN = new Set(["met", "met_other"]);

export type Freshness = "fresh" | "ageing" | "stale" | "never";

/** Midnights of this place between an instant or day and now: yesterday evening is one day ago in the morning. Days to come count as 0. */
export function daysSince(when: string | null | undefined, nowMs: number): number | null {
  const day = when ? dayOf(when) : null;
  return day === null ? null : Math.max(0, (Date.parse(dayAt(nowMs)) - Date.parse(day)) / DAY_MS);
}

/** The latest time at which a unit of the record was written or confirmed; null where the phone was not told. */
export function confirmedAt(view: RecordView): string | null {
  let latest: string | null = null;
  for (const one of Object.values(view.confirmed)) {
    // A claim later than arrival counts as arrival: no clock is trusted.
    const at = one.claimed_at && one.arrived_at && Date.parse(one.claimed_at) > Date.parse(one.arrived_at) ? one.arrived_at : (one.claimed_at ?? one.arrived_at);
    if (at && (latest === null || Date.parse(at) > Date.parse(latest))) latest = at;
  }
  return latest;
}

/** Whether a visit says that somebody of the household was met. */
export function sawSomebody(visit: RecordView): boolean {
  return SEEN.has(String(visit.fields["outcome"]));
}

/** The later of two instants; either may be nothing. */
export function later(a: string | null, b: string | null | undefined): string | null {
  if (!b) return a;
  return a === null || Date.parse(b) > Date.parse(a) ? b : a;
}

/** Colour class of a household or dwelling that was last seen so many days ago. */
export function freshness(days: number | null, dueAfter: number = DUE_DAYS): Freshness {
  if (days === null) return "never";
  if (days >= dueAfter) return "stale";
  return days * 3 >= dueAfter * 2 ? "ageing" : "fresh";
}
