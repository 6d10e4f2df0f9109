// What the server tells about tables, and the words for it.
import { get, Problem } from "../../api/client.ts";
import type { Label } from "../../api/types.ts";
import { why } from "../../tell.ts";
import { say, semicolon, t, word } from "../../words/index.ts";
import { failureWord } from "./failures.ts";

export interface ImportJob {
  import_id: string;
  act: "plan" | "write" | "undo";
  file_id: string;
  name: string;
  state: "queued" | "running" | "done" | "failed";
  requested_at: string;
  done: number;
  total: number | null;
  error: string | null;
  result: { rows?: number; outcomes?: Record<string, number>; deleted?: number; restored?: number; kept?: number } | null;
}

export interface Looked {
  file_id: string;
  sheet: string;
  heading_row: number;
  rows: number | null;
  sheets: string[];
  columns: { heading: string; key: string; target: string | null }[];
  remembered: boolean;
  targets: { target: string; label: Label }[];
}

export interface ReportRow {
  row: number;
  outcome: string;
  record_id: string | null;
  of_row: number | null;
  /** Of a doubtful row: persons that it may be about. Older reports have none. */
  candidates?: string[];
  place?: string;
  /** The row of an earlier table that this one puts right. */
  of_earlier?: number | null;
  /** Changed by somebody since the earlier table, which this one repeats: it stays. */
  kept?: string[];
  /** Changed by somebody since the earlier table, and corrected here too. */
  against?: string[];
  /** The person of the earlier table's row is deleted or merged. */
  gone?: boolean;
  fields: string[];
  errors: { column: string; heading: string; code: string; message_zh: string; message_en: string }[];
}

export const KINDS = ["place", "household", "person", "dwelling"];
/** Outcomes whose rows somebody has to look at, the most urgent first. */
export const TROUBLES = ["rejected", "doubtful", "quarantined", "conflict", "held", "duplicate", "unplaced"];
const LOOKS: Record<string, string> = { new: "good", changed: "teal", rejected: "bad", doubtful: "wait", duplicate: "wait", unplaced: "wait", quarantined: "wait", held: "wait", conflict: "bad" };

export const lookOf = (outcome: string): string => LOOKS[outcome] ?? "";
export const outcomeWord = (outcome: string): string => word(`imports.outcome_${outcome}`, outcome);
export const busyJob = (job: ImportJob | null): boolean => job?.state === "queued" || job?.state === "running";
export const codeWord = failureWord;

export function jobOf(id: string): Promise<ImportJob> {
  return get<ImportJob>(`/api/v1/imports/${id}`);
}

/** The share that is done. A workbook counts its empty rows too, so a running job never says that all is done. */
export function partDone(job: ImportJob): number {
  if (job.state === "done") return 100;
  return job.total ? Math.min(99, Math.floor((100 * job.done) / job.total)) : 0;
}

/** A refusal with its reasons. */
export function reasons(error: unknown): string {
  if (!(error instanceof Problem) || error.errors.length === 0) return why(error);
  return error.errors.map((one) => word(`imports.error_${one.code}`, one.message)).join(semicolon());
}

/** Fields of homes are called as such: a note can be about a person or a household. */
export function targetLabel(one: { target: string; label: Label }): string {
  const kind = one.target.split(".")[0] ?? "";
  return kind === "household" || kind === "dwelling" ? `${t(`imports.kind_${kind}`)} · ${say(one.label)}` : say(one.label);
}
