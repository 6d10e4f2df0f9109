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

/** What one door shows: of several households the one that needs the visit most. */
export function doorCell(dwelling: RecordView, day: Day, nowMs: number): DoorCell {
  const views = engine().households(dwelling.id);
  const households = views.flatMap((one) => day.byHousehold.get(one.id) ?? []);
  const worst = households.reduce<Door | null>((a, b) => (a === null || WORST[b.state] > WORST[a.state] ? b : a), null);
  const days = worst ? worst.days : daysSince(confirmedAt(dwelling), nowMs);
  return {
    dwelling,
    label: String(dwelling.fields["door_number"] ?? "?"),
    households,
    state: worst ? worst.state : days === null ? "empty" : freshness(days),
    days,
    conflict: dwelling.conflicts.length > 0 || views.some((one) => one.conflicts.length > 0),
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
export function tally(building: RecordView, day: Day, nowMs: number): { total: number; current: number; old: number; never: number } {
  const cells = engine().dwellings(building.id).map((one) => doorCell(one, day, nowMs));
  const current = cells.filter((one) => one.state === "fresh" || one.state === "ageing").length;
  const old = cells.filter((one) => one.state === "stale").length;
  return { total: cells.length, current, old, never: cells.filter((one) => one.state === "never").length };
}
