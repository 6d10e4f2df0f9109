// A building as the worker climbs it: entrances, floors from the top, doors.
import type { RecordView } from "@shared/engine/index.ts";
import { engine } from "../session.ts";
import type { Day, Door } from "./day.ts";
import { confirmedAt, daysSince, freshness, type Freshness } from "./freshness.ts";
import { byNumber } from "./order.ts";

/** One door of the grid. `empty`: nobody is known to live there. */
export interface DoorCell {
  dwelling: RecordView;
  label: string;
  households: Door[];
  state: Freshness | "empty";
  days: number | null;
  /** 两人填的不一样, here or with somebody who lives here. */
  conflict: boolean;
  pending: boolean;
}
export interface Floor {
  number: number | null;
  doors: DoorCell[];
}
export interface Stair {
  entrance: RecordView | null;
  floors: Floor[];
  doorsCount: number;
}

const WORST: Record<Freshness | "empty", number> = { never: 3, stale: 2, ageing: 1, fresh: 0, empty: -1 };

const worstOf = (households: readonly Door[]): Door | null =>
  households.reduce<Door | null>((a, b) => (a === null || WORST[b.state] > WORST[a.state] ? b : a), null);

/** Of a dwelling where nobody is known to live. */
function dwellingState(dwelling: RecordView, nowMs: number): Freshness | "empty" {
  const days = daysSince(confirmedAt(dwelling), nowMs);
  return days === null ? "empty" : freshness(days);
}

/** What one door shows: of several households the one that needs the visit most. */
export function doorCell(dwelling: RecordView, day: Day, nowMs: number): DoorCell {
  const views = engine().households(dwelling.id);
  const households = views.flatMap((one) => day.byHousehold.get(one.id) ?? []);
  const worst = worstOf(households);
  const days = worst ? worst.days : daysSince(confirmedAt(dwelling), nowMs);
  return {
    dwelling,
    label: String(dwelling.fields["door_number"] ?? "?"),
    households,
    state: worst ? worst.state : dwellingState(dwelling, nowMs),
    days,
    conflict: [dwelling, ...views, ...views.flatMap((one) => engine().members(one.id))].some((one) => one.conflicts.length > 0),
    pending: dwelling.pendingOps.length > 0 || households.some((one) => one.pending),
  };
}

/** Entrances of a building in the order of their numbers, each with its floors from the top. Doors without an entrance come last. */
export function stairs(building: RecordView, day: Day, nowMs: number): Stair[] {
  const known = engine().entrances(building.id);
  const inEntrance = new Map(known.map((one) => [one.id, [] as RecordView[]]));
  const loose: RecordView[] = [];
  for (const dwelling of new Map(engine().dwellings(building.id).map((one) => [one.id, one])).values()) {
    (inEntrance.get(String(dwelling.fields["entrance"])) ?? loose).push(dwelling);
  }
  const made = known.map((entrance) => stair(entrance, inEntrance.get(entrance.id) ?? [], day, nowMs));
  made.sort((a, b) => byNumber(placeName(a.entrance), placeName(b.entrance)));
  return loose.length ? [...made, stair(null, loose, day, nowMs)] : made;
}

function stair(entrance: RecordView | null, dwellings: RecordView[], day: Day, nowMs: number): Stair {
  const floors = new Map<number | null, DoorCell[]>();
  for (const dwelling of dwellings) {
    const number = typeof dwelling.fields["floor_number"] === "number" ? dwelling.fields["floor_number"] : null;
    floors.set(number, [...(floors.get(number) ?? []), doorCell(dwelling, day, nowMs)]);
  }
  return {
    entrance,
    doorsCount: dwellings.length,
    floors: [...floors]
      .sort(([a], [b]) => (b ?? -99) - (a ?? -99))
      .map(([number, doors]) => ({ number, doors: doors.sort((a, b) => byNumber(a.label, b.label)) })),
  };
}

/** Number or name of a building, entrance or estate. */
export function placeName(view: RecordView | null): string {
  return String(view?.fields["number"] ?? view?.fields["name"] ?? "");
}

/** How the doors of a building stand, for the bar in lists. */
export type Tally = Record<"total" | "current" | "old" | "never", number>;

/** Of every building that has doors, in one pass. */
export function tallies(day: Day, nowMs: number): Map<string, Tally> {
  const inside = new Map<string, Door[]>();
  for (const door of day.doors) {
    if (door.dwellingId === null) continue;
    const list = inside.get(door.dwellingId);
    if (list) list.push(door);
    else inside.set(door.dwellingId, [door]);
  }
  const found = new Map<string, Tally>();
  for (const dwelling of engine().list("dwelling")) {
    const { building, entrance } = dwelling.fields;
    const of = new Set([building, typeof entrance === "string" ? engine().read(entrance)?.fields["building"] : undefined]);
    for (const id of of) {
      if (typeof id !== "string") continue;
      let sum = found.get(id);
      if (!sum) found.set(id, (sum = { total: 0, current: 0, old: 0, never: 0 }));
      sum.total += 1;
      const state = worstOf(inside.get(dwelling.id) ?? [])?.state ?? dwellingState(dwelling, nowMs);
      if (state === "stale") sum.old += 1;
      else if (state === "never") sum.never += 1;
      else if (state !== "empty") sum.current += 1;
    }
  }
  return found;
}
