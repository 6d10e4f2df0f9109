// What GET /api/v1/reference delivers (docs/protocol.md, section 3; docs/forms.md for the definitions).
import type { VisitRules } from "../forms/visits.ts";
import type { Fields, Labels, Value } from "./types.ts";

/** An expression as a tree: a literal, a field, the field's own value, or a call. */
export type Tree = { lit: Value } | { field: string } | { self: true } | { call: string; args: readonly Tree[] };
/** An expression as delivered: its text, for people, and its tree, for programs. */
export interface Expression {
  text: string;
  tree: Tree;
}

export type FieldType =
  | "text"
  | "integer"
  | "decimal"
  | "boolean"
  | "date"
  | "datetime"
  | "select_one"
  | "select_multiple"
  | "text_set"
  | "ref"
  | "location";
export type Policy = "last" | "keep" | "review" | "max" | "min" | "union" | "append" | "add";

/** One field of a definition, as delivered. */
export interface FieldDefinition {
  name: string;
  type: FieldType;
  label: Labels;
  privacy: "public" | "internal" | "personal" | "secret";
  /** The declared unit that merges it; left out: a unit of its own. */
  unit?: string;
  /** Policy of a unit of its own; left out: `union` for sets, else `last`. */
  policy?: Policy;
  exclusive?: boolean;
  required?: boolean;
  indexed?: boolean;
  identifying?: boolean;
  format?: "phone" | "identifier" | "photo";
  codelist?: string;
  ref_type?: string;
  constraint?: Expression & { message: Labels };
  relevant?: Expression;
  calculation?: Expression;
  measure?: string;
  min?: number;
  max?: number;
  max_length?: number;
  mask?: { keep_start: number; keep_end: number };
  hint?: Labels;
  default?: Value;
}

/** Several fields that are one fact. */
export interface UnitDefinition {
  name: string;
  fields: readonly string[];
  policy: Policy;
  exclusive?: boolean;
  label: Labels;
}

/** One screen of a view, shown where `relevant` holds. */
export interface ScreenDefinition {
  name: string;
  label: Labels;
  fields: readonly string[];
  relevant?: Expression;
  notes?: readonly { name: string; label: Labels; before?: string | null; relevant?: Expression }[];
}

/** A condition over several fields: a finding where it does not hold, never a refusal. */
export interface CrossConstraint {
  name: string;
  fields: readonly string[];
  message: Labels;
  holds: Expression;
}

/** A record type, as delivered. */
export interface Definition {
  name: string;
  version: number;
  label: Labels;
  note?: string;
  server_made?: boolean;
  subject?: string | null;
  placed_by?: readonly string[];
  parents?: readonly string[];
  /** Of a special survey: the condition over its household or person that says who is asked. */
  audience?: Expression;
  fields: readonly FieldDefinition[];
  units?: readonly UnitDefinition[];
  views?: readonly { name: string; label: Labels; screens: readonly ScreenDefinition[] }[];
  constraints?: readonly CrossConstraint[];
}

/** A list of codes in the order in which it is shown. Retired codes are accepted and not offered. */
export interface Codelist {
  name: string;
  label: Labels;
  entries: readonly { code: string; zh: string; en: string; parent?: string; group?: string; retired?: boolean; replaced_by?: string }[];
}

/** A cell of a published edition, CGCS2000 lon/lat. */
export interface CellFeature {
  type: "Feature";
  id: string;
  geometry: { type: "Polygon"; coordinates: number[][][] } | { type: "MultiPolygon"; coordinates: number[][][][] };
  properties: {
    cell_id: string;
    edition_id: string;
    code: string;
    name: string;
    order: number;
    area_m2: number | null;
    label_lon: number | null;
    label_lat: number | null;
    [other: string]: Value;
  };
}

/** Who works where. */
export interface Assignment {
  assignment_id: string;
  user_id: string;
  cell_id: string;
  duty: string;
  from_on: string;
  to_on: string | null;
}

/** A special survey among the forms: whom its answers are about, through which field, and whether it takes new ones. */
export interface SurveyNote {
  name: string;
  subject: "household" | "person" | "none";
  field: string | null;
  closed: boolean;
}

/** Forms, code lists, cells and assignments, as the server delivered them last. */
export interface Reference {
  community: { community_id: string; code: string; name: string; [other: string]: Value };
  forms: Readonly<Record<string, Definition>>;
  codelists: Readonly<Record<string, Codelist>>;
  surveys?: readonly SurveyNote[];
  /** Rules that hold in this community. */
  rules?: { visits?: VisitRules };
  /** Of a community worker: the lines of work whose care records are theirs; null or absent: all. */
  lines_of_work?: readonly string[] | null;
  /** The other communities of the house, by code: those that a household can be sent to; absent from an older server. */
  others?: readonly { community_id: string; code: string; name: string }[];
  edition: { edition_id: string; number: number; layer: string; [other: string]: Value } | null;
  editions?: readonly Fields[];
  cells: { type: "FeatureCollection"; features: readonly CellFeature[] };
  assignments: readonly Assignment[];
}
