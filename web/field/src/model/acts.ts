// What is done at a door, as groups of operations: all of a group is kept, or nothing.
import type { Draft, Fields, RecordView, Seen } from "@shared/engine/index.ts";
import { dayAt } from "@shared/forms/days.ts";
import { engine } from "../session.ts";
import { sawSomebody } from "./freshness.ts";
import { dayOf } from "./today.ts";

/** What is asked together; the first name names the fact. */
export interface Fact {
  view: RecordView;
  names: readonly string[];
}
/** What changes most often with a member of a household. */
export const MEMBER_FACTS = [["phones"], ["presence", "absent_since"], ["occupation_text", "employer_text"]] as const;

/** A visit to a household now. `more`: other fields of the visit. */
export function visitDraft(householdId: string, outcome: string, more: Fields = {}): Draft {
  return {
    kind: "create", type: "visit",
    set: { household: householdId, method: "door", outcome, attempt_number: attempt(householdId), visited_at: new Date().toISOString(), ...more },
  };
}

/** Which attempt this is since somebody was met last. */
function attempt(householdId: string): number {
  const visits = engine().list("visit", { household: householdId });
  const at = (one: (typeof visits)[number]) => Date.parse(String(one.fields["visited_at"] ?? ""));
  const met = visits.filter(sawSomebody).reduce((last, one) => Math.max(last, at(one) || 0), 0);
  return 1 + visits.filter((one) => at(one) > met).length;
}

/** Household, dwelling and everybody in it: seen, and nothing has changed. */
export function unchangedDrafts(householdId: string): Draft[] {
  const household = engine().read(householdId);
  if (household === null) return [];
  const dwelling = household.fields["dwelling"];
  const known = typeof dwelling === "string" && engine().read(dwelling) !== null;
  return [
    { kind: "confirm", id: householdId },
    ...(known ? [{ kind: "confirm", id: dwelling } as const] : []),
    ...engine().members(householdId).map((one) => ({ kind: "confirm", id: one.id }) as const),
  ];
}

/** One tap at the door: somebody was met, nothing has changed. */
export async function everythingUnchanged(householdId: string): Promise<void> {
  await engine().write([...unchangedDrafts(householdId), visitDraft(householdId, "met")]);
}

/** One fact has changed, everything else was seen unchanged. `seen`: what was shown while it was typed at `place`. */
export async function onlyThisChanged(householdId: string, recordId: string, { set, seen, place }: { set: Fields; seen: Seen | null; place: string }): Promise<void> {
  // a second fact at the same door belongs to the meeting that stands already
  const visit = iMetToday(householdId) ? [] : [visitDraft(householdId, "met")];
  await engine().write([{ kind: "patch", id: recordId, set, seen }, ...unchangedDrafts(householdId), ...visit], place);
}

/** Visits of today on which somebody of the household was met, by whomever. */
function meetingsToday(householdId: string): RecordView[] {
  const today = dayAt(Date.now());
  return engine().list("visit", { household: householdId }).filter((one) => sawSomebody(one) && dayOf(String(one.fields["visited_at"])) === today);
}

/** Whether somebody of the household was met today. */
export const metToday = (householdId: string): boolean => meetingsToday(householdId).length > 0;

/** Whether it was this phone that wrote so. */
const iMetToday = (householdId: string): boolean => meetingsToday(householdId).some((one) => engine().operations({ recordId: one.id, limit: 1 }).length > 0);
