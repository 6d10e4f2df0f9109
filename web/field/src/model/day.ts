// The day's work: every household on the phone with when it was last seen, oldest first.
import type { RecordView } from "@shared/engine/index.ts";
import { clockAt, dayAt } from "@shared/forms/days.ts";
import { ageOn, arrangement, byUrgency, inForce, isDue, standing, type Due, type HouseholdFacts, type Resident, type VisitFact, type VisitRules } from "@shared/forms/visits.ts";
import { addressOf } from "./words.ts";
import { orderKeys } from "./order.ts";
import { dayOf } from "./today.ts";
import { engine } from "../session.ts";
import { confirmedAt, daysSince, freshness, later, sawSomebody, type Freshness } from "./freshness.ts";

/** A household as the lists show it. */
export interface Door {
  household: RecordView;
  dwellingId: string | null;
  cellId: string | null;
  /** Days since somebody was met or something was confirmed; null: never. */
  days: number | null;
  state: Freshness;
  /** Where it stands under the visit rules. */
  stands: Due;
  /** Somebody here is cared for. */
  care: boolean;
  /** Two differ about the household or somebody in it, and nobody has settled it. */
  disputed: boolean;
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
  /** Due ones, the most urgent first. */
  due: Door[];
}

/** Before the office has told its rules: everybody within ninety days. */
const PLAIN: VisitRules = {
  groups: [{ name: "everybody", label: { zh: "", en: "" }, every_days: 90, when: {} }],
  outcomes: { seen: ["met", "met_other"], failed: ["no_answer", "no_access"], office: [] },
  retry_days: 1, escalate_after: 3, bands: [],
};

/** The rules that hold in this community. */
export function visitRules(): VisitRules {
  return engine().reference()?.rules?.visits ?? PLAIN;
}

/** The records that say how it stands with some households. */
interface Seen {
  households: readonly RecordView[];
  /** Everybody who lives behind a door of one of them. */
  persons: readonly RecordView[];
  visits: readonly RecordView[];
  cares: readonly RecordView[];
}

/** Look over every household on the phone. `nowMs`: the device's time. */
export function lookOver(nowMs: number): Day {
  const from = engine();
  const today = dayAt(nowMs);
  const doors = doorsOf({ households: from.list("household"), persons: from.list("person"), visits: from.list("visit"), cares: from.list("care_status") }, nowMs);
  const keys = orderKeys(doors.map((one) => one.address));
  const before = (a: Door, b: Door): number => ((keys.get(a.address) as string) < (keys.get(b.address) as string) ? -1 : 1);
  const due = doors.filter((one) => isDue(one.stands, today)).sort((a, b) => byUrgency(a.stands, b.stands, today) || (a.address === b.address ? 0 : before(a, b)));
  return { doors, byHousehold: new Map(doors.map((one) => [one.household.id, one])), due };
}

/** The same of one household, without looking over all others whenever something is written at its door; null where it lives here no more. */
export function lookAt(householdId: string, nowMs: number): Door | null {
  const from = engine();
  const household = from.read(householdId);
  if (household?.life !== "live") return null;
  const dwelling = household.fields["dwelling"];
  const others = typeof dwelling === "string" ? from.list("household", { dwelling }).filter((one) => one.id !== householdId) : [];
  const households = [household, ...others];
  const persons = households.flatMap((one) => from.list("person", { residence_household: one.id }));
  const seen = { households, persons, visits: from.list("visit", { household: householdId }), cares: persons.flatMap((one) => from.list("care_status", { person: one.id })) };
  return doorsOf(seen, nowMs)[0] ?? null;
}

function doorsOf({ households, persons, visits: visited, cares: cared }: Seen, nowMs: number): Door[] {
  const from = engine();
  const rules = visitRules();
  const today = dayAt(nowMs);
  const text = (value: unknown): string | null => (typeof value === "string" ? value : null);
  const newest = new Map<string, RecordView>();
  const seen = new Map<string, string>();
  const visits = new Map<string, VisitFact[]>();
  for (const visit of visited) {
    const household = visit.fields["household"];
    const at = visit.fields["visited_at"];
    if (typeof household !== "string" || typeof at !== "string") continue;
    const before = newest.get(household);
    if (before === undefined || Date.parse(String(before.fields["visited_at"])) < Date.parse(at)) newest.set(household, visit);
    if (sawSomebody(visit)) seen.set(household, later(seen.get(household) ?? null, at) as string);
    const ms = Date.parse(at);
    if (!Number.isNaN(ms)) push(visits, household, { day: dayAt(ms), hour: Number(clockAt(ms).slice(0, 2)), outcome: String(visit.fields["outcome"]), next_on: text(visit.fields["next_visit_on"]) });
  }
  const dwellings = new Map<string, string>();
  for (const household of households) if (typeof household.fields["dwelling"] === "string") dwellings.set(household.id, household.fields["dwelling"]);
  const homes = new Map<string, string>();
  const ages = new Map<string, number[]>();
  const residents = new Map<string, Resident[]>();
  const disputed = new Set<string>();
  for (const person of persons) {
    const home = text(person.fields["residence_household"]);
    if (home === null) continue;
    homes.set(person.id, home);
    if (person.conflicts.length) disputed.add(home);
    const dwelling = dwellings.get(home);
    const deceased = person.fields["vital_status"] === "deceased";
    const one: Resident = { residence_dwelling: dwelling ?? null, presence: text(person.fields["presence"]), birth_date: text(person.fields["birth_date"]), deceased, collective: from.read(home)?.fields["kind"] === "collective" };
    if (dwelling) push(residents, dwelling, one);
    const age = ageOn(one.birth_date, today);
    if (age !== null && !deceased && one.presence !== "away_long") push(ages, home, age);
  }
  const cares = new Map<string, [string | null, string | null][]>();
  for (const care of cared) {
    if (!inForce(text(care.fields["to_date"]), today)) continue;
    const home = homes.get(String(care.fields["person"]));
    if (home !== undefined) push(cares, home, [text(care.fields["level"]), text(care.fields["kind"])]);
  }
  return households.map((household): Door => {
    const visit = newest.get(household.id);
    const at = later(seen.get(household.id) ?? null, confirmedAt(household));
    const days = daysSince(at, nowMs);
    const confirmed = confirmedAt(household);
    const dwelling = dwellings.get(household.id) ?? null;
    const facts: HouseholdFacts = {
      household_id: household.id,
      confirmed_on: confirmed === null ? null : dayOf(confirmed),
      ages: ages.get(household.id) ?? [],
      arrangement: dwelling === null ? null : arrangement(dwelling, residents.get(dwelling) ?? [], today),
      occupancy: dwelling === null ? null : text(from.read(dwelling)?.fields["occupancy"]),
      care: cares.get(household.id) ?? [],
      visits: visits.get(household.id) ?? [],
    };
    const stands = standing(rules, facts);
    return {
      household,
      dwellingId: dwelling,
      cellId: household.home?.startsWith("cell/") ? household.home.slice(5) : null,
      days,
      state: freshness(days, stands.every_days),
      stands,
      care: cares.has(household.id),
      disputed: household.conflicts.length > 0 || disputed.has(household.id),
      appointment: stands.appointment !== null && stands.appointment <= today ? stands.appointment : null,
      address: addressOf(household.id),
      lastOutcome: visit ? String(visit.fields["outcome"]) : null,
      pending: household.pendingOps.length > 0 || (visit?.pendingOps.length ?? 0) > 0,
    };
  });
}

function push<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
