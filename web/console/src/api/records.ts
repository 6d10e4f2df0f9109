// One record as the server tells it, and writing to it through the operations that everybody uses.
import { post } from "./client.ts";
import { newId } from "./ids.ts";
import type { By, CellName, DoorCheck, Label } from "./types.ts";

export interface FactField {
  name: string;
  label: Label;
  type: string;
  privacy: string;
  codelist: string | null;
  measure: string | null;
  value: unknown;
  text: string | null;
  masked: boolean;
  ref: { id: string; type: string; title: string | null; cell: CellName | null } | null;
}

export interface FactUnit {
  unit: string;
  label: Label;
  policy: string;
  exclusive: boolean;
  fields: FactField[];
  known: { v: number; by: By | null; at: string; claimed_at: string | null; source: string } | null;
  confirmed: { by: By | null; at: string; claimed_at: string | null } | null;
  conflict: string | null;
}

export interface RelatedRow {
  id: string;
  type: string;
  title: string | null;
  v: number;
  tag: string;
  life: string;
  cell: CellName | null;
  facts: { name: string; label: Label; text: string }[];
}

export interface Related {
  relation: string;
  label: Label;
  type: string;
  type_label: Label;
  count: number;
  more: boolean;
  /** Where the next page begins, where more are on record than the page of the record tells. */
  next: string | null;
  rows: RelatedRow[];
}

export interface FindingRow {
  finding_id: string;
  kind: string;
  name: string;
  message: Label | null;
  units: string[];
  opened_at: string;
}

export interface RecordAnswer {
  as_of: string;
  record: {
    id: string;
    type: string;
    type_label: Label;
    title: string | null;
    v: number;
    tag: string;
    life: string;
    /** The record that it was joined or merged with. */
    leads_to?: string | null;
    cell: CellName | null;
    created_at: string;
    created_by: By | null;
    updated_at: string;
    confirmed_at: string | null;
    address?: string | null;
    placement: Record<string, unknown> | null;
    lon: number | null;
    lat: number | null;
  };
  screens: { name: string; label: Label; units: string[] }[];
  units: FactUnit[];
  derived: { name: string; label: Label; value: unknown; text: string }[];
  conflicts: ConflictRow[];
  findings: FindingRow[];
  related: Related[];
  can: { write: boolean; unmask: string[]; history: boolean; looks: boolean };
}

export interface ConflictValue {
  value: unknown;
  label: unknown;
}

export interface ConflictRow {
  conflict_id: string;
  kind: string;
  policy: string;
  opened_at: string;
  delegated_to?: string | null;
  checks?: DoorCheck[];
  harm?: number;
  /** Who deleted the record last, where the conflict is about that. */
  deletion?: { by: By | null; at: string; claimed_at: string | null } | null;
  record: { id: string; type: string; type_label: Label; title: string | null; v: number; tag: string; life: string; cell: CellName | null };
  unit: string;
  label: Label;
  fields: { name: string; label: Label; privacy: string }[];
  base: Record<string, ConflictValue> | null;
  /** What stands in the record, where none of the siblings does: it was written after them. */
  now: { by: By | null; claimed_at: string | null; arrived_at: string | null; values: Record<string, ConflictValue> | null } | null;
  siblings: {
    op_id: string;
    role: string;
    /** Whether it is what stands in the record. */
    stands: boolean;
    by: By | null;
    claimed_at: string | null;
    arrived_at: string | null;
    values: Record<string, ConflictValue> | null;
  }[];
}

export interface WriteResult {
  results: { op_id: string; record?: { id: string; v: number; tag: string } | null; now: { outcome: string; reason: string | null; status: string }; errors: { pointer: string; code: string; message: string }[] }[];
}

/** Send operations as one group; an op_id makes a second sending safe. */
export function write(ops: Record<string, unknown>[], purpose?: string): Promise<WriteResult> {
  const claimed = new Date().toISOString();
  return post<WriteResult>("/api/v1/groups", { ops: ops.map((op) => ({ op_id: newId(), claimed_at: claimed, ...op })) }, { purpose });
}
