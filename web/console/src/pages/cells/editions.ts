// What the server tells about editions.
import type { CellCollection, CellFeature, CellName, Label } from "../../api/types.ts";
import type { Publishing } from "./publishing.ts";

export interface EditionListed {
  edition_id: string;
  layer: string;
  number: number;
  state: "draft" | "published" | "retired";
  profile: string;
  content_hash: string | null;
  created_at: string;
  published_at: string | null;
  ok?: boolean | null;
  counts?: { cells?: number; errors?: number; warnings?: number } | null;
}

export interface CellProblem {
  code: string;
  severity: "error" | "warning";
  cells: string[];
  lon: number | null;
  lat: number | null;
  zh: string;
  en: string;
}

export interface Certificate {
  ok: boolean;
  hash?: string;
  problems: CellProblem[];
  counts: Record<string, number>;
}

export interface EditionWhole {
  edition: EditionListed;
  certificate: Certificate | null;
  cells: CellCollection;
  /** Of a draft: the job that is putting it in force. */
  publishing?: Publishing | null;
}

export interface Moves {
  count: number;
  types: Record<string, number>;
  pairs: { from: CellName | null; to: CellName | null; count: number }[];
}

export interface DryRun {
  as_of?: string;
  moves: Moves;
  doubts?: number;
  /** Who would work which cells. */
  assignments?: { user_id: string; name: string | null; from: CellName | null; to: (CellName | null)[] }[];
}

export interface Repair extends Label {
  repair_id: string;
  kind: string;
  cells: string[];
  largest_area_change_m2: number;
  changes: { cell_id: string; cell: string; new_code: string | null; area_change_m2: number; after: CellFeature["geometry"] }[];
}

/** Findings about borders: how far a repair of them may go is a person's decision. */
export const FITTED = new Set(["overlap", "gap", "gap_at_boundary", "gap_strip", "edge_mismatch", "boundary_sliver"]);

/** How wide an overlap or gap may be that is closed, and how much of its ground a cell may win or lose by it. */
export interface RepairLimits {
  width_m: number;
  percent: number;
}
export const USUAL_LIMITS: Readonly<RepairLimits> = { width_m: 0.5, percent: 1 };

/** The limits as words of an address; the usual ones need none. */
export function limitsAsked(limits: RepairLimits): string {
  if (limits.width_m === USUAL_LIMITS.width_m && limits.percent === USUAL_LIMITS.percent) return "";
  return `?${new URLSearchParams({ clean_width_m: String(limits.width_m), share_at_most: String(limits.percent / 100) })}`;
}

/** The cells as a proposed repair would leave them; those that it changes keep everything but their outline. */
export function mended(cells: CellFeature[], repair: Repair | null): CellFeature[] {
  if (!repair) return cells;
  const after = new Map(repair.changes.map((one) => [one.cell_id, one.after]));
  return cells.map((cell) => {
    const outline = after.get(cell.id);
    return outline ? { ...cell, geometry: outline } : cell;
  });
}

export interface Balance {
  target: number | null;
  band: [number, number] | null;
  mean: number;
  total: number;
  outside: number;
  cells: { code: string; households: number; deviation: number | null; in_band: boolean | null }[];
  cut_buildings?: Label[];
}
