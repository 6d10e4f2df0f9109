// Following the streams: rows and cursor in one transaction per page; conclusions only at a complete page (S19-S24).
// The twin of sync/device/pull.py.

import { keepMark } from "./asked.ts";
import { call, PROTOCOL, Stopped, wanted, type Line } from "./calls.ts";
import { compared, dropStream, keepRows, keepWitnesses, rebuild, sweep } from "./copies.ts";
import { eraseDrafts, letGoDrafts } from "./drafts.ts";
import { anotherLife, eraseNews, isOwn, notInFile, prune } from "./keeping.ts";
import type { Overwritten } from "./kept-types.ts";
import type { Change } from "./ledger.ts";
import type { PageRows } from "./page-rows.ts";
import { keepBlobNews, MOST_NAMED } from "./uploading.ts";
import { FINAL_OUTCOMES } from "./view.ts";
import { problem } from "./words.ts";
import { same, type FormRegistry } from "../forms/form.ts";

/** What a pull did. */
export interface PullReport {
  pages: number;
  rows: number;
  added: string[];
  dropped: string[];
  rebuilt: string[];
  reopened: number;
  pruned: number;
  needsFork: boolean;
  referenceMoved: boolean;
  /** Records that the server counts as this phone does, with the same digest. */
  agreed: number;
  /** How many records the streams hold that began in this pull; null where none did. For a bar, no promise. */
  coming: number | null;
}

/** What a pull has done before its first page. */
export const nothingPulled = (): PullReport => ({ pages: 0, rows: 0, added: [], dropped: [], rebuilt: [], reopened: 0, pruned: 0, needsFork: false, referenceMoved: false, agreed: 0, coming: null });

/** Reads pages until one is complete and the copies agree with the server's digests. */
export async function pull(line: Line, registry: FormRegistry, size: PageRows, progress: (rows: number, coming: number | null) => void): Promise<PullReport> {
  const report = nothingPulled();
  const { ledger } = line;
  let fromZero = false;
  for (;;) {
    const complete = await page(line, registry, size, report);
    progress(report.rows, report.coming === null ? null : Math.max(report.coming, report.rows));
    if (!complete) continue;
    const doubted = Object.entries(ledger.core.streams).flatMap(([name, state]) => (state.doubted ? [name] : []));
    if (doubted.length === 0) return report;
    if (report.rebuilt.length === 0) report.rebuilt = doubted; // the next request asks for their replacement
    else if (!fromZero) {
      fromZero = true; // replacing them did not help: everything from zero, once
      await ledger.change("pull: from zero", (change) => change.patchCore({ cursor: null }));
    } else throw new Stopped(problem("copies_doubtful", { details: { streams: doubted } }));
  }
}

/** What the phone has still to send: told with every request, so that the office sees it beside the device. */
const unsentOf = (ledger: Line["ledger"]): number => [...ledger.log.values()].filter((row) => row.state !== "answered").length;

async function page(line: Line, registry: FormRegistry, size: PageRows, report: PullReport): Promise<boolean> {
  const { ledger } = line;
  const { cursor, installId, scopeVersion, streams } = ledger.core;
  const photos = Object.keys(ledger.core.blobs).slice(0, MOST_NAMED);
  const asked = cursor === null ? [] : Object.keys(streams).filter((name) => streams[name]?.doubted);
  const body = { protocol: PROTOCOL, install_id: installId, cursor, limit: size.limit, scope: { version: scopeVersion }, ...(asked.length ? { replace: asked } : {}), ...(photos.length ? { blobs: photos } : {}), unsent: unsentOf(ledger), ...(line.appVersion ? { app_version: line.appVersion } : {}) };
  let answer: Record<string, unknown>;
  const began = performance.now();
  try {
    answer = (await call(line, "pull", "POST", "/api/v1/sync/pull", body)).body;
  } catch (error) {
    if (error instanceof Stopped && error.problem.code === "offline") size.broke();
    if (cursor === null || !(error instanceof Stopped) || !error.slug.includes("cursor")) throw error;
    await ledger.change("pull: from zero", (change) => change.patchCore({ cursor: null })); // the server does not read it any more
    return false;
  }
  const rows = wanted(answer, "rows", "array");
  size.came(rows.length, performance.now() - began);
  const complete = await ledger.change("pull: page", (change) => keepPage(change, registry, cursor, answer, report));
  if (typeof answer["coming_count"] === "number") report.coming = (report.coming ?? 0) + answer["coming_count"];
  report.pages += 1;
  report.rows += rows.length;
  return complete;
}

/** Keeps the answer to one request: rows and cursor in one change. `cursor` is the one that was sent. */
export function keepPage(change: Change, registry: FormRegistry, cursor: string | null, answer: Record<string, unknown>, report: PullReport): boolean {
  const epoch = wanted(answer, "epoch", "string");
  const scope = wanted(answer, "scope", "object");
  const rows = wanted(answer, "rows", "array");
  const complete = wanted(answer, "complete", "boolean");
  const known = change.core.epoch;
  if (known !== null && known !== epoch) {
    report.reopened += anotherLife(change, epoch);
    if (cursor !== null) {
      // Nothing of this page fits the copies. All of it again, from zero; the log stays.
      change.patchCore({ epoch, cursor: null });
      return false;
    }
  }
  followScope(change, epoch, scope, report);
  const held = Object.keys(change.core.streams);
  const again = (answer["replace"] as string[] | undefined) ?? [];
  rebuild(change, cursor === null ? held : held.filter((name) => again.includes(name)));
  const before = ownValues(change, rows);
  keepRows(change, epoch, rows);
  noticeOverwritten(change, registry, before);
  if (rows.some((row) => row["stream"] === "~reference")) report.referenceMoved = true;
  if (complete) conclude(change, epoch, answer, report);
  keepWitnesses(change);
  change.patchCore({ epoch, cursor: wanted(answer, "cursor", "string") });
  return complete;
}

function followScope(change: Change, epoch: string, scope: Record<string, unknown>, report: PullReport): void {
  const named = scope["streams"];
  if (!Array.isArray(named)) throw new Stopped(problem("not_understood"));
  const streams = new Set<string>([...(named as string[]), `install/${change.core.installId}`]);
  const held = new Set(Object.keys(change.core.streams));
  const isFirst = held.size === 0;
  const added = [...streams].filter((name) => !held.has(name)).sort();
  const dropped = [...held].filter((name) => !streams.has(name)).sort();
  if (added.length) {
    const fresh = added.map((name) => [name, { generation: 0, building: false, doubted: false }] as const);
    change.patchCore({ streams: { ...change.core.streams, ...Object.fromEntries(fresh) } });
  }
  for (const name of dropped) dropStream(change, epoch, name); // now (S22); own operations stay
  report.added.push(...added);
  report.dropped.push(...dropped);
  const version = wanted(scope, "version", "number");
  if (version !== change.core.scopeVersion) change.patchCore({ scopeVersion: version, scopeLastN: change.lastN() });
  const cells = (names: string[]): string[] => names.filter((name) => name.startsWith("cell/"));
  if (!isFirst && (cells(added).length || cells(dropped).length)) {
    const old = change.core.scopeNews;
    change.patchCore({ scopeNews: { added: [...(old?.added ?? []), ...cells(added)], dropped: [...(old?.dropped ?? []), ...cells(dropped)] } });
  }
}

/** Per record of a page the own settled values that stand in its copy, before the page is kept. */
function ownValues(change: Change, rows: readonly Record<string, unknown>[]): Overwritten[] {
  const ids = new Set(rows.flatMap((row) => (row["kind"] === "PUT" ? [String((row["record"] as { id?: unknown } | undefined)?.id)] : [])));
  const found = new Map<string, Overwritten>();
  for (const row of change.allRows()) {
    if (!row.settled || !["applied", "merged"].includes(row.now ?? "")) continue;
    for (const step of row.steps) {
      const copy = ids.has(step.id) ? change.entry(step.id)?.copy : null;
      if (!copy) continue;
      for (const [name, value] of Object.entries(step.set)) {
        if (value !== null && typeof value !== "object" && same(copy.fields[name], value)) {
          found.set(`${step.id}/${name}`, { opId: row.opId, id: step.id, type: step.type, unit: name, mine: { [name]: value } });
        }
      }
    }
  }
  return [...found.values()];
}

/** Own values that somebody else has written over: the person is told. `unit` arrives as a field and leaves as its unit. */
function noticeOverwritten(change: Change, registry: FormRegistry, before: readonly Overwritten[]): void {
  const lost = before.flatMap((one) => {
    const now = change.entry(one.id)?.copy?.fields[one.unit];
    return same(now, one.mine[one.unit]) ? [] : [{ ...one, unit: registry.get(one.type)?.unitOf(one.unit) ?? one.unit }];
  });
  if (!lost.length) return;
  const byUnit = new Map(change.core.overwritten.map((one) => [`${one.id}/${one.unit}`, one]));
  for (const one of lost) {
    const key = `${one.id}/${one.unit}`;
    byUnit.set(key, { ...one, mine: { ...(byUnit.get(key)?.opId === one.opId ? byUnit.get(key)?.mine : {}), ...one.mine } });
  }
  change.patchCore({ overwritten: [...byUnit.values()].slice(-200) });
}

/** A complete page: apply removals, compare digests, then drop the overlays that the copies contain. */
function conclude(change: Change, epoch: string, answer: Record<string, unknown>, report: PullReport): void {
  const erased = new Set([...change.allEntries()].flatMap(({ id, rows }) => (rows.some((row) => row.kind === "REMOVE" && row.reason === "erased") ? [id] : [])));
  eraseDrafts(change, erased);
  eraseNews(change, erased);
  sweep(change, epoch);
  keepBlobNews(change, answer);
  const { differing, agreed } = compared(change, wanted(answer, "streams", "object"));
  const doubted = new Set(differing);
  const streams = Object.entries(change.core.streams);
  if (streams.some(([name, state]) => state.doubted !== doubted.has(name))) {
    change.patchCore({ streams: Object.fromEntries(streams.map(([name, state]) => [name, { ...state, doubted: doubted.has(name) }])) });
  }
  if (doubted.size) return;
  report.agreed = agreed;
  letGoDrafts(change);
  const applied = wanted(answer, "applied", "object");
  const n = wanted(applied, "n", "number");
  if (!isOwn(change, n, applied["op_id"])) {
    // The server consumed operations of this install that this log does not have: overlays stay, push will refuse.
    change.patchCore({ needsFork: { n, op_id: (applied["op_id"] as string | undefined) ?? null } });
    report.needsFork = true;
    return;
  }
  let lacking = 0;
  for (const row of change.allRows()) {
    if (row.n > n) {
      // Answered, but the server does not have it (any more): it was restored. The log is sent again from there.
      if (row.state === "answered" || row.acknowledged) {
        lacking += 1;
        if (row.state === "answered") notInFile(change, row.n);
        change.patchRow(row.n, { state: "unsent", acknowledged: false, acknowledgedAt: null, settled: false, v: null, status: 0 });
      }
    } else {
      const isDone = row.state === "answered" && FINAL_OUTCOMES.has(row.now ?? "");
      if (!row.acknowledged || (isDone && !row.settled)) change.patchRow(row.n, { acknowledged: true, settled: row.settled || isDone });
    }
  }
  report.reopened = Math.max(report.reopened, lacking); // in another life these are among all that is asked again
  const seen = answer["departures"];
  // who has left is not shown any more: from here on nobody writes of them unknowingly
  if (typeof seen === "string" && seen !== change.core.departures?.seen) change.patchCore({ departures: { ...change.core.departures, seen, last_n: change.lastN() } });
  keepMark(change, answer["asked"]);
  const safeN = Number(answer["safe_n"] ?? 0);
  change.patchCore({ safeN, completed: change.core.completed + 1 });
  report.pruned += prune(change, Math.min(safeN, n));
}

/** Offers copies that a restored server lacks, unless own operations still wait to be sent: they may bring it back. */
export async function offerWitnesses(line: Line): Promise<number> {
  const { ledger } = line;
  if ([...ledger.log.values()].some((row) => row.state !== "answered")) return 0;
  let count = 0;
  while (ledger.core.witnesses.length) {
    const some = ledger.core.witnesses.slice(0, 200);
    const body = { protocol: PROTOCOL, install_id: ledger.core.installId, witnesses: some };
    const { body: answer } = await call(line, "witness", "POST", "/api/v1/sync/witness", body);
    wanted(answer, "kept", "number");
    await ledger.change("witness: offered", (change) => change.patchCore({ witnesses: change.core.witnesses.slice(some.length) }));
    count += some.length;
  }
  return count;
}
