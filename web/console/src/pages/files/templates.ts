// What the server tells about templates and their fillings.
import { Problem } from "../../api/client.ts";

export interface Template {
  template_id: string;
  name: string;
  name_en?: string;
  ready: boolean;
  asks: { lists: { sheet: string; row: number; source: string }[]; figures: number; fields: number; values: number; personal: string[] };
}

export interface Run {
  run_id: string;
  template_id: string;
  name: string;
  state: "queued" | "running" | "done" | "failed";
  requested_at: string;
  /** Who filled it in. */
  by: { user_id: string; name: string };
  as_of: string | null;
  per: string;
  cell: string | null;
  day: string;
  begins: string;
  ends: string;
  rows: number | null;
  personal: boolean;
  done: number;
  total: number | null;
  error: string | null;
  file: { name: string; size: number; expires_at: string; removed: boolean; href: string } | null;
}

export interface Place {
  part: string;
  sheet: string;
  cell?: string;
  first?: number;
  last?: number;
  source: string;
  count: number;
}

export interface Source {
  source: string;
  count: number;
  records: { type: string | null; id: string; title: string | null; gone: boolean }[];
}

type Values = Record<string, string | number | null>;

export interface Changes {
  before: { run_id: string; as_of: string; day: string };
  now: { run_id: string; as_of: string; day: string };
  lists: {
    sheet: string;
    row: number;
    columns: { name: string; label: string; label_en: string }[];
    came: { id: string; values: Values }[];
    went: { id: string; values: Values }[];
    changed: { id: string; values: Values; changes: { column: string; before: string | number | null; now: string | number | null }[] }[];
    same: number;
  }[];
  figures: { sheet: string; cell: string; before: string | number | null; now: string | number | null }[];
}

export interface Fault {
  place: string;
  message_zh: string;
  message_en: string;
}

export const busyRun = (run: Run): boolean => run.state === "queued" || run.state === "running";

/** What is wrong with a template, by its place; empty for any other error. */
export function faultsOf(error: unknown): Fault[] {
  if (!(error instanceof Problem) || error.slug !== "invalid-input") return [];
  return error.errors.map((one) => {
    const [, , sheet = "", cell = ""] = one.pointer.split("/");
    const [zh = one.message, en = one.message] = one.message.split(" / ");
    return { place: one.pointer.startsWith("/sheets/") ? `${sheet}!${cell}` : "", message_zh: zh, message_en: en };
  });
}
