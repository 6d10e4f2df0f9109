// Who is to be visited on a day, and why. Twin of forms/visits.py; both pass tests/vectors/forms/visits.json.
import type { Labels } from "../engine/types.ts";

export interface VisitGroup {
  name: string;
  label: Labels;
  every_days: number;
  when: { age_from?: number; arrangements?: readonly string[]; occupancies?: readonly string[]; care_levels?: readonly string[]; care_kinds?: readonly string[] };
}

/** The rules as GET /api/v1/reference delivers them. */
export interface VisitRules {
  groups: readonly VisitGroup[];
  outcomes: { seen: readonly string[]; failed: readonly string[]; office: readonly string[] };
  retry_days: number;
  escalate_after: number;
  bands: readonly { name: string; label: Labels; from_hour: number; to_hour: number }[];
}

/** One visit: day and hour of the community. */
export interface VisitFact {
  day: string;
  hour: number;
  outcome: string;
  next_on?: string | null;
}

/** What the rules ask of a household; `care`: [level, kind] of every care record in force. */
export interface HouseholdFacts {
  household_id: string;
  confirmed_on?: string | null;
  ages?: readonly number[];
  arrangement?: string | null;
  occupancy?: string | null;
  care?: readonly (readonly [level: string | null, kind: string | null])[];
  visits?: readonly VisitFact[];
}

/** Where a household stands: `due_on` null: never seen, due at once. */
export interface Due {
  household_id: string;
  group: string;
  every_days: number;
  last_on: string | null;
  due_on: string | null;
  appointment: string | null;
  attempts: number;
  band: string | null;
  escalated: boolean;
}

const DAY_MS = 86_400_000;

/** A day so many days later. */
export function daysLater(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** Whole days from one day to another. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY_MS);
}

/** How one household stands, due or not. Of visits on one day and hour the later in the list counts as later. */
export function standing(rules: VisitRules, facts: HouseholdFacts): Due {
  const group = groupOf(rules, facts);
  const visits = [...(facts.visits ?? [])].sort((a, b) => (a.day < b.day ? -1 : a.day > b.day ? 1 : a.hour - b.hour));
  const met = visits.findLastIndex((one) => rules.outcomes.seen.includes(one.outcome));
  const confirmed = facts.confirmed_on ?? null;
  const last_on = latest(met < 0 ? null : (visits[met]?.day ?? null), confirmed);
  // Somebody who has confirmed the household has seen it as well, whatever failed before or on that day.
  const since = visits.slice(met + 1).filter((one) => confirmed === null || one.day > confirmed);
  const failed = since.filter((one) => rules.outcomes.failed.includes(one.outcome));
  let agreed = visits.slice(Math.max(met, 0)).findLast((one) => one.next_on)?.next_on ?? null;
  if (agreed !== null && last_on !== null && agreed <= last_on) agreed = null;
  let due_on = agreed ?? (last_on === null ? null : daysLater(last_on, group.every_days));
  const tried = failed.at(-1);
  if (tried) {
    const again = daysLater(tried.day, rules.retry_days);
    if (due_on === null || due_on < again) due_on = again;
  }
  const escalated = failed.length >= rules.escalate_after || since.some((one) => rules.outcomes.office.includes(one.outcome));
  return { household_id: facts.household_id, group: group.name, every_days: group.every_days, last_on, due_on, appointment: agreed, attempts: failed.length, band: failed.length ? bandOf(rules, failed) : null, escalated };
}

/** Whether somebody should go on this day. */
export function isDue(due: Due, today: string): boolean {
  return due.due_on === null || due.due_on <= today;
}

/** Agreed ones first, then those to be seen most often, then never seen, then the longest overdue. */
export function byUrgency(a: Due, b: Due, today: string): number {
  if ((a.appointment === null) !== (b.appointment === null)) return a.appointment === null ? 1 : -1;
  if (a.every_days !== b.every_days) return a.every_days - b.every_days;
  if ((a.last_on === null) !== (b.last_on === null)) return a.last_on === null ? -1 : 1;
  const [first, second] = [a.due_on ?? today, b.due_on ?? today];
  return first === second ? 0 : first < second ? -1 : 1;
}

/** The households to be visited on a day, the most urgent first. */
export function dueVisits(rules: VisitRules, facts: readonly HouseholdFacts[], today: string): Due[] {
  return facts.map((one) => standing(rules, one)).filter((one) => isDue(one, today)).sort((a, b) => byUrgency(a, b, today) || (a.household_id < b.household_id ? -1 : 1));
}

function groupOf(rules: VisitRules, facts: HouseholdFacts): VisitGroup {
  const fitting = rules.groups.filter((group) => fits(group, facts));
  return fitting.reduce((best, one) => (one.every_days < best.every_days ? one : best));
}

function fits({ when }: VisitGroup, facts: HouseholdFacts): boolean {
  if (when.age_from !== undefined && !(facts.ages ?? []).some((age) => age >= (when.age_from as number))) return false;
  if (when.arrangements && !when.arrangements.includes(facts.arrangement ?? "")) return false;
  if (when.occupancies && !when.occupancies.includes(facts.occupancy ?? "")) return false;
  if (!when.care_levels && !when.care_kinds) return true;
  return (facts.care ?? []).some(([level, kind]) => (!when.care_levels || when.care_levels.includes(level ?? "")) && (!when.care_kinds || when.care_kinds.includes(kind ?? "")));
}

function bandOf(rules: VisitRules, failed: readonly VisitFact[]): string | null {
  let best: { name: string; tried: number } | null = null;
  for (const band of rules.bands) {
    const tried = failed.filter((one) => band.from_hour <= one.hour && one.hour < band.to_hour).length;
    if (best === null || tried < best.tried) best = { name: band.name, tried };
  }
  return best?.name ?? null;
}

function latest(a: string | null, b: string | null): string | null {
  if (a === null) return b;
  return b === null || a >= b ? a : b;
}

// ---------------------------------------------------------------- how the old people of a dwelling live
/** One person of a dwelling, as forms/dwelling_facts.py asks for them. */
export interface Resident {
  person_id?: string;
  registration_dwelling?: string | null;
  /** An address or division outside the known dwellings was recorded. */
  registered_outside?: boolean;
  residence_dwelling?: string | null;
  presence?: string | null;
  birth_date?: string | null;
  deceased?: boolean;
  collective?: boolean;
}

const livesIn = (dwelling: string, one: Resident): boolean => !one.deceased && one.residence_dwelling === dwelling && one.presence !== "away_long";

/** 人在户在, 人在户不在, 户在人不在, 空挂: what each person is to a dwelling, by `person_id`. Twin of `person_states`. */
export function personStates(dwelling: string, persons: readonly Resident[]): Record<string, string> {
  const held = persons.some((one) => one.registration_dwelling === dwelling && livesIn(dwelling, one));
  const states: Record<string, string> = {};
  for (const one of persons) {
    if (one.deceased || one.person_id === undefined) continue;
    const registered = one.registration_dwelling === dwelling;
    if (livesIn(dwelling, one)) states[one.person_id] = registered ? "lives_registered" : one.registration_dwelling || one.registered_outside ? "lives_not_registered" : "lives_unknown";
    else if (registered) states[one.person_id] = held ? "registered_elsewhere" : "registered_hanging";
  }
  return states;
}

const OLD_FROM = 60;

/** Completed years on a day; null without a birth date or before birth. */
export function ageOn(birth: string | null | undefined, day: string): number | null {
  if (!birth || birth > day) return null;
  return Number(day.slice(0, 4)) - Number(birth.slice(0, 4)) - (day.slice(5) < birth.slice(5) ? 1 : 0);
}

/** Whether what ends on a day (none: it does not end) holds on another: the last day still counts. Twin of `in_force`. */
export function inForce(to: string | null | undefined, day: string): boolean {
  return !to || to >= day;
}

/** 独居, 空巢 …: of everybody who lives in the dwelling, whichever household they belong to. Twin of `arrangement`. */
export function arrangement(dwelling: string, persons: readonly Resident[], day: string): string {
  const living = persons.filter((one) => livesIn(dwelling, one));
  if (living.length === 0) return "empty";
  if (living.some((one) => one.collective)) return "collective";
  const ages = living.map((one) => ageOn(one.birth_date, day));
  const old = ages.filter((age) => age !== null && age >= OLD_FROM).length;
  const young = ages.filter((age) => age !== null && age < OLD_FROM).length;
  if (old && young) return "with_others";
  if (old + young < ages.length) return "unknown";
  if (!old) return "nobody_old";
  return old === 1 ? "living_alone" : "empty_nest";
}
