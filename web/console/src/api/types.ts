// What the server's answers look like, as far as the console reads them.

import type { Tree } from "@shared/engine/reference-types.ts";

export interface Label {
  zh: string;
  en: string;
}

export interface CellName {
  cell_id: string;
  code: string;
  name: string;
}

export interface By {
  user_id: string | null;
  name: string | null;
  label: string | null;
}

/** What somebody found at the door about an item of the inbox. */
export interface DoorCheck {
  id: string;
  by: By | null;
  at: string;
  outcome: string;
  label: string | null;
  note: string | null;
  asked_at: string | null;
}

export interface User {
  user_id: string;
  name: string;
  role: string;
  community_id: string;
  area_code: string | null;
  topics: string[];
}

export interface Account extends User {
  login: string;
  created_at: string;
  locked_until: string | null;
  closed_at: string | null;
}

export interface CodeEntry {
  code: string;
  label?: Label;
  zh?: string;
  en?: string;
  retired?: boolean;
}

export interface FormField {
  calculation?: unknown;
  name: string;
  type: string;
  label: Label;
  privacy: string;
  codelist?: string;
  ref_type?: string;
  policy?: string;
  required?: boolean;
  note?: string;
  max_length?: number;
}

export interface Form {
  name: string;
  version: number;
  label: Label;
  server_made: boolean;
  fields: FormField[];
  /** Fields that are one fact together. */
  units?: readonly { name: string; label?: Label; fields: readonly string[] }[];
  /** What places a record of the type, the first that is there. */
  placed_by?: readonly string[];
  /** Of a special survey: who is asked. */
  audience?: { tree: Tree };
}

export interface CellFeature {
  type: "Feature";
  id: string;
  geometry: { type: "Polygon" | "MultiPolygon"; coordinates: unknown };
  properties: Record<string, unknown> & { code?: string; name?: string; layer?: string };
}

export interface CellCollection {
  type: "FeatureCollection";
  features: CellFeature[];
}

export interface Assignment {
  assignment_id: string;
  user_id: string;
  /** In the reference data. */
  user_name?: string;
  community_id?: string;
  cell_id: string;
  duty: string;
  from_on: string;
  to_on: string | null;
  revoked_at?: string | null;
}

export interface Community {
  community_id: string;
  code: string;
  name: string;
}

export interface Reference {
  /** Null for people above the communities who have chosen none. */
  community: Community | null;
  /** Those that they may choose. */
  communities?: Community[];
  forms: Record<string, Form>;
  codelists: Record<string, { entries?: CodeEntry[]; codes?: CodeEntry[] } & Record<string, unknown>>;
  edition: { edition_id: string; number: number; published_at: string } | null;
  cells: CellCollection;
  assignments: Assignment[];
  /** Special surveys: whom they are about, and the field that names them. */
  surveys?: readonly { name: string; subject: "household" | "person" | "none"; field: string | null; closed: boolean }[];
  /** Lines of work whose care records are written; null for every one. */
  lines_of_work?: readonly string[] | null;
}

export interface BaselineFigures {
  /** Null where a number is withheld. */
  counts: Record<string, number | null>;
  coverage: { expected_dwellings: number; surveyed_dwellings: number | null; share: number | null };
  /** Null for a past day. */
  freshness: { records: number; median_days: number | null; oldest_days: number | null } | null;
  open_conflicts: number | null;
  ages?: { aged_60: number; aged_80: number; under_3: number; share_60: number | null } | null;
  density_per_km2?: number | null;
  freshness_buckets?: { within_30: number; within_90: number; within_180: number; older: number } | null;
  open?: { conflicts: number; findings: number; held: number; proposals: number; quarantined: number } | null;
}

export interface TrendPoint {
  day: string;
  reckoned: boolean;
  figures: Record<string, number | null>;
}

export interface BaselineCell extends CellName, BaselineFigures {
  area_m2: number | null;
}

export interface Baseline {
  as_of: string;
  community: { community_id: string; code: string; name: string };
  edition: { edition_id: string; number: number } | null;
  partial: boolean;
  cells: BaselineCell[];
  unplaced: BaselineFigures | null;
  total: BaselineFigures;
  trend?: TrendPoint[];
  /** Of a past day: the day that was written down, and which counts besides coverage come from it; null where none was. */
  kept?: { day: string; counts: string[] } | null;
}

export interface RosterFilterAsked {
  column: string;
  op: string;
  value: unknown;
}

export interface RosterDefinition {
  name: string;
  label: Label;
  base: string;
  note: string;
  columns: { name: string; label?: Label; path?: string | string[]; derived?: string }[];
  sort: { column: string; descending?: boolean }[];
  filters: { column: string; ops: string[] }[];
}

export interface RosterColumn {
  name: string;
  label: Label;
  type: string;
  privacy: string;
  measure: string | null;
}

export type RosterRow = Record<string, unknown> & { id: string; v: number; doubt: string[]; leads_to?: { type: string; id: string } | null };

export interface RosterPage {
  as_of: string;
  known_at: string | null;
  roster: { name: string; label: Label };
  place: { community_id: string; cell_code: string | null; name: string };
  columns: RosterColumn[];
  rows: RosterRow[];
  next: string | null;
  count?: number;
  in_doubt: number;
  missing: { unplaced: number; held: number; quarantined: number } | null;
}

export interface QuestionList {
  name: string;
  label: Label;
  roster: string;
  filters: RosterFilterAsked[];
  sort: string[] | null;
  /** Its facts carry no dates: of a past day nothing is known, it always answers for today. */
  of_the_present: boolean;
}

export interface Question {
  name: string;
  label: Label;
  /** Columns to be asked back for, such as the door. */
  ask: string[];
  /** A queue of the inbox that answers instead of a list. */
  queue: string | null;
  lists: QuestionList[];
}
