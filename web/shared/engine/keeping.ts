// How long own operations stay in the log (S21), what the server says of them, and what another life of its database
// means for them (S25). The twin of sync/device/keeping.py.

import { same } from "../forms/form.ts";
import type { LogRow } from "./kept-types.ts";
import type { Change, Ledger } from "./ledger.ts";
import { FINAL_OUTCOMES } from "./view.ts";

const KEPT_S = 90 * 86_400;
/** So many forgotten operations are remembered for their news. */
const MOST_NEWS = 50;
/** Somebody decided against the operation. */
export const DECIDED_AGAINST: ReadonlySet<string | null> = new Set(["declined", "discarded"]);

type Looked = Pick<Change, "row" | "core">;

/** The own op_id at n: in the log, or the last one that was forgotten; null where this log does not know. */
export function opIdAt(at: Looked, n: number): string | null {
  const row = at.row(n);
  if (row) return row.opId;
  return n > 0 && at.core.prunedN === n ? at.core.prunedOpId : null;
}

/** Whether the server's head is of this log (S21). What lies before the forgotten part cannot be told. */
export function isOwn(at: Looked, n: number, opId: unknown): boolean {
  if (n === 0 || n < at.core.prunedN) return true;
  const own = opIdAt(at, n);
  return own !== null && own === opId;
}

/** A ledger as something to look at outside a change. */
export const looked = (ledger: Ledger): Looked => ({ row: (n) => ledger.log.get(n) ?? null, core: ledger.core });

/** Forgets the oldest operations that are final, contained in the copies, and safe; whole groups; how many. */
export function prune(change: Change, safeN: number): number {
  const aged = (change.core.serverTime ?? 0) - KEPT_S;
  const rows = change.allRows();
  const first = rows.find((row) => row.state !== "answered" || !row.settled || (row.n > safeN && (row.acknowledgedAt ?? aged) >= aged));
  const upto = first ? first.group - 1 : change.lastN();
  const last = rows.filter((row) => row.n <= upto).pop();
  const gone = last ? rows.filter((row) => row.n <= last.n) : [];
  keepNews(change, gone);
  if (!last) return 0;
  change.patchCore({ prunedN: last.n, prunedOpId: last.opId });
  for (const row of gone) change.rows.set(row.n, null);
  return gone.length;
}

/** Whether something became of an operation that its person hears of: it waited, was decided against, or is in dispute. */
export const hasNews = (row: LogRow): boolean =>
  row.now === "conflict" || DECIDED_AGAINST.has(row.reason) || (FINAL_OUTCOMES.has(row.now ?? "") && row.first !== null && !FINAL_OUTCOMES.has(row.first));

/** What the person has not read yet outlives the log: a decision may come when the operation is safe since long. */
function keepNews(change: Change, gone: readonly LogRow[]): void {
  const read = new Set(change.core.dismissed);
  const kept = change.core.news ?? [];
  const left = [...kept, ...gone.filter(hasNews)].filter((row) => {
    if (row.now !== "conflict") return !read.has(row.opId) && !read.has(`${row.opId}/released`);
    return row.steps.some((step) => {
      const copy = change.entry(step.id)?.copy;
      return copy && (copy.conflicts.length > 0 || Object.entries(step.set).some(([name, value]) => !same(copy.fields[name], value) && !read.has(`${row.opId}/${name}`)));
    });
  });
  if (left.length || kept.length) change.patchCore({ news: left.slice(-MOST_NEWS) });
}

/** Of records that a complete page says were lawfully erased the news goes, too. Before the removals are applied. */
export function eraseNews(change: Change, erased: ReadonlySet<string>): void {
  const { news = [], overwritten } = change.core;
  if (erased.size === 0 || news.length + overwritten.length === 0) return;
  change.patchCore({ news: news.filter((row) => !row.steps.some((step) => erased.has(step.id))), overwritten: overwritten.filter((one) => !erased.has(one.id)) });
}

/**
 * The server's database began another life: what became of operations there counts no more, what was said first is not sure any
 * more. All that the log still has is asked for again: a copy of this phone may have offered it to the new life already, whose
 * first answer stands in no stream. Returns how many.
 */
export function anotherLife(change: Change, epoch: string): number {
  let again = 0;
  for (const row of change.allRows()) {
    if (row.state !== "answered" || row.epoch === epoch) continue;
    again += 1;
    notInFile(change, row.n);
    change.patchRow(row.n, { state: "sent", now: row.first, reason: row.firstReason, status: Math.min(row.status, 1), settled: false, v: null, acknowledgedAt: null, epoch });
  }
  return again;
}

/** One that was answered is asked for again: no file was made for it, and those that were hold only what was unsent then. */
export function notInFile(change: Change, n: number): void {
  if (change.core.rescuedN >= n) change.patchCore({ rescuedN: n - 1 });
}

/** What the server said of an operation. */
export interface Said {
  outcome?: unknown;
  reason?: unknown;
  status?: unknown;
}

/** Keeps what the server says now of an operation, unless something newer is known already. What waits is not done, be it after a restore only. */
export function noteStatus(change: Change, row: LogRow | null, epoch: string, now: Said, said: { record?: unknown; errors?: unknown }): void {
  if (!row) return;
  const status = Number(now.status ?? 0);
  if (row.status > status && row.epoch === epoch) return;
  const v = (said.record as { v?: number } | null | undefined)?.v ?? null;
  change.patchRow(row.n, {
    now: (now.outcome as string | undefined) ?? null,
    reason: (now.reason as string | null | undefined) ?? null,
    status,
    errors: (said.errors as LogRow["errors"] | undefined) ?? [],
    epoch,
    v,
    settled: row.settled && FINAL_OUTCOMES.has(String(now.outcome)),
  });
}
