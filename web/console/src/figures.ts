// What the map can be coloured by: how each figure is read from a cell, told in words, and where its list is.
import type { BaselineCell, BaselineFigures, RosterFilterAsked } from "./api/types.ts";
import { daysBeforeDay } from "./days.ts";
import { number, percent } from "./tell.ts";
import { t } from "./words/index.ts";

export interface Figure {
  name: string;
  /** A figure where much means work to do is coloured towards amber, others in one teal. */
  tone: "plain" | "care" | "low-is-care";
  of: (cell: BaselineFigures & { area_m2?: number | null }) => number | null;
  tell: (value: number | null) => string;
  /** Edges of the classes where they mean something by themselves; otherwise they follow the values. */
  edges?: number[];
  /** The list that is counted; of a share or a median: the rows that make it worse. */
  list: RosterBehind | { inbox: string } | null;
}

export interface RosterBehind {
  roster: string;
  filters?: RosterFilterAsked[];
  sort?: string[];
  /** Rows whose day in this column is so many days before the day that is looked at. */
  before?: { column: string; days: number };
}

/** The filters of a list on a day; null for now. */
export function filtersOn(list: RosterBehind, day: string | null): RosterFilterAsked[] {
  const { before } = list;
  return [...(list.filters ?? []), ...(before ? [{ column: before.column, op: "lt", value: daysBeforeDay(before.days, day) }] : [])];
}

/** Stands for a cell's code where what is in no cell is meant. */
export const UNPLACED = "~unplaced";

const LIVING: RosterFilterAsked = { column: "lives_here", op: "eq", value: true };
const OCCUPIED = ["owner_lived", "let", "group_let", "lent", "empty", "under_works"];
const HALF_A_YEAR = 180;

const COUNTED: Record<string, { roster: string; filters?: RosterFilterAsked[] }> = {
  household: { roster: "household_book" },
  person: { roster: "persons", filters: [{ column: "vital_status", op: "not_in", value: ["deceased"] }] },
  resident_person: { roster: "persons", filters: [LIVING] },
  dwelling: { roster: "dwellings" },
  building: { roster: "buildings" },
  party_member: { roster: "party_members" },
  organization: { roster: "organizations" },
  resource: { roster: "resources" },
};

function counted(name: string): Figure {
  return { name: `count_${name}`, tone: "plain", of: (cell) => cell.counts[name] ?? null, tell: (n) => number(n), list: COUNTED[name] ?? null };
}

function aged(name: "aged_60" | "aged_80", years: number): Figure {
  return { name, tone: "plain", of: (cell) => cell.ages?.[name] ?? null, tell: (n) => number(n), list: { roster: "persons", filters: [LIVING, { column: "age", op: "gte", value: years }] } };
}

/** Share of records that were last confirmed more than half a year ago. */
function older(cell: BaselineFigures): number | null {
  const buckets = cell.freshness_buckets;
  if (!buckets) return null;
  const all = buckets.within_30 + buckets.within_90 + buckets.within_180 + buckets.older;
  return all ? buckets.older / all : null;
}

/** Residents per hectare; unknown where their number is withheld: neither nobody nor everybody who is on record. */
function density(cell: BaselineFigures & { area_m2?: number | null }): number | null {
  const residents = cell.counts["resident_person"] ?? null;
  return cell.area_m2 && residents !== null ? (residents * 10_000) / cell.area_m2 : null;
}

export const FIGURES: Figure[] = [
  { name: "coverage", tone: "low-is-care", edges: [0, 0.5, 0.8, 0.9, 0.97], of: (cell) => cell.coverage.share, tell: percent, list: { roster: "dwellings", filters: [{ column: "expected", op: "eq", value: true }, { column: "households_count", op: "eq", value: 0 }, { column: "occupancy", op: "not_in", value: OCCUPIED }] } },
  { name: "freshness", tone: "care", edges: [0, 91, 181, 271, 366], of: (cell) => cell.freshness?.median_days ?? null, tell: (n) => (n === null ? "–" : t("common.days", { n })), list: { roster: "household_book", sort: ["confirmed_on"] } },
  { name: "conflicts", tone: "care", of: (cell) => cell.open_conflicts, tell: (n) => number(n), list: { inbox: "conflicts" } },
  { name: "density", tone: "plain", of: density, tell: (n) => (n === null ? "–" : t("overview.perHectare", { n: number(Math.round(n)) })), list: { roster: "persons", filters: [LIVING] } },
  { name: "open", tone: "care", of: (cell) => (cell.open ? cell.open.conflicts + cell.open.findings + cell.open.held + cell.open.proposals + cell.open.quarantined : null), tell: (n) => number(n), list: { inbox: "" } },
  { name: "stale", tone: "care", edges: [0, 0.25, 0.5, 0.75, 0.9], of: (cell) => older(cell), tell: percent, list: { roster: "household_book", before: { column: "confirmed_on", days: HALF_A_YEAR }, sort: ["confirmed_on"] } },
  aged("aged_60", 60), aged("aged_80", 80),
  { name: "share_60", tone: "plain", of: (cell) => cell.ages?.share_60 ?? null, tell: percent, list: { roster: "persons", filters: [LIVING, { column: "age", op: "gte", value: 60 }] } },
  { name: "under_3", tone: "plain", of: (cell) => cell.ages?.under_3 ?? null, tell: (n) => number(n), list: { roster: "persons", filters: [LIVING, { column: "age", op: "lt", value: 3 }] } },
  ...["household", "person", "resident_person", "dwelling", "building", "party_member", "organization", "resource"].map(counted),
];

/** What a map is painted by where the chosen figure is not known of that day: first what is dated, who lived where. */
const INSTEAD = ["density", "count_resident_person", "coverage", "count_dwelling"];

/** The figure that some cell tells: the chosen one, else one that is told. */
export function toldOf(chosen: Figure, cells: BaselineCell[]): Figure {
  const told = (one: Figure) => cells.some((cell) => one.of(cell) !== null);
  return told(chosen) ? chosen : ([...INSTEAD.map(figureOf), ...FIGURES].find(told) ?? chosen);
}

export const figureOf = (name: string): Figure => FIGURES.find((one) => one.name === name)!;

const OF_NOW = ["count_household", "count_person", "count_dwelling", "coverage", "freshness", "conflicts"];
/** What is of the present alone gives way to what is known of every day. */
const OF_A_DAY = ["count_household", "count_person", "count_resident_person", "count_dwelling", "coverage", "aged_60"];
/** What is known of those past days alone that were written down. */
const WRITTEN_DOWN = ["stale", "conflicts"];

/** The figures of the table, of now or of a past day; `chosen` colours the map and is added where it is not among them and known of some cell. */
export function columnsWith(chosen: Figure | null, cells: BaselineCell[], past = false): Figure[] {
  const known = (figure: Figure) => cells.some((cell) => figure.of(cell) !== null);
  const usual = past ? [...OF_A_DAY.map(figureOf), ...WRITTEN_DOWN.map(figureOf).filter(known)] : OF_NOW.map(figureOf);
  return chosen && !usual.includes(chosen) && known(chosen) ? [...usual, chosen] : usual;
}

/** The figures shown as tiles, most asked first. */
export const TILES = ["household", "person", "resident_person", "dwelling", "building", "party_member", "organization", "resource"].map(
  (name) => FIGURES.find((figure) => figure.name === `count_${name}`)!,
);

const PLAIN = ["#e4f0f2", "#b5d6dc", "#7db3bf", "#41899a", "#175a6b"];
const CARE = ["#e2efe6", "#f4e9c0", "#f3cd7d", "#e39a43", "#bf5f1d"];
export const NO_FIGURE = "#d9dee0";

export interface Legend {
  colour: (value: number | null | undefined) => string;
  light: (value: number | null | undefined) => boolean;
  steps: { colour: string; from: number; to: number; open: boolean }[];
}

/** Five classes at most with about as many cells in each; fewer where values repeat. */
export function legendFor(values: (number | null)[], { tone, edges }: Pick<Figure, "tone" | "edges">): Legend {
  const known = values.filter((value): value is number => value !== null).sort((a, b) => a - b);
  const distinct = [...new Set(known)];
  const breaks: number[] = [...(edges ?? [])];
  if (!edges && distinct.length > 0) {
    const classes = Math.min(5, distinct.length);
    for (let place = 0; place < classes; place += 1) {
      const edge = distinct.length <= 5 ? distinct[place]! : known[Math.floor((place * known.length) / classes)]!;
      if (breaks.length === 0 || edge > breaks[breaks.length - 1]!) breaks.push(edge);
    }
  }
  const ramp = tone === "plain" ? PLAIN : tone === "care" ? CARE : [...CARE].reverse();
  const pick = (place: number) => {
    if (breaks.length === 1) return tone === "plain" ? ramp[1]! : CARE[0]!;
    return ramp[Math.round((place * (ramp.length - 1)) / (breaks.length - 1))]!;
  };
  const place = (value: number) => breaks.filter((edge) => edge <= value).length - 1;
  const top = distinct[distinct.length - 1] ?? 0;
  const below = (edge: number) => (edges ? edge - (edge > 1 ? 1 : 0.001) : Math.max(...distinct.filter((value) => value < edge)));
  return {
    colour: (value) => (value === null || value === undefined ? NO_FIGURE : pick(Math.max(0, place(value)))),
    light: (value) => value !== null && value !== undefined && ["#175a6b", "#41899a", "#bf5f1d"].includes(pick(Math.max(0, place(value)))),
    steps: breaks.map((from, n) => ({
      colour: pick(n),
      from,
      // Fixed steps end open: "366 days" alone would name one day.
      open: n + 1 === breaks.length && edges !== undefined && from > 1,
      to: n + 1 < breaks.length ? Math.max(from, below(breaks[n + 1]!)) : Math.max(from, top),
    })),
  };
}
