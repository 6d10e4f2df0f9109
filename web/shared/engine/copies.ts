// Copies of the server's records: rows kept page by page, streams built again, what left swept away at `complete`.
// The twin of sync/device/copies.py, witness.py and totals.py.

import { NotUnderstood, wanted } from "./calls.ts";
import { Digest, recordHash, statusHash } from "./digest.ts";
import { noteStatus } from "./keeping.ts";
import type { Copy, Entry, FeedRow, LogRow, Witness } from "./kept-types.ts";
import type { Change } from "./ledger.ts";
import type { Fields, Value } from "./types.ts";

type Body = Record<string, unknown>;

const EMPTY = (id: string): Entry => ({ id, copy: null, rows: [] });

/** Keeps the rows of a page. Removals wait in the feed until a page is complete. */
export function keepRows(change: Change, epoch: string, rows: readonly Body[]): void {
  const own = new Map<string, LogRow>();
  if (rows.some((row) => row["kind"] === "STATUS")) for (const row of change.allRows()) own.set(row.opId, row);
  for (const row of rows) {
    const stream = wanted(row, "stream", "string");
    const state = change.core.streams[stream];
    if (!state) throw new NotUnderstood("a row of a stream that is not in the scope");
    const common = { stream, seq: wanted(row, "seq", "number"), generation: state.generation };
    const kind = wanted(row, "kind", "string");
    if (kind === "PUT") {
      const record = wanted(row, "record", "object");
      const copy = copyOf(record, epoch);
      const id = wanted(record, "id", "string");
      const entry = change.entry(id) ?? EMPTY(id);
      const old = entry.copy;
      const rowsNow = upserted(entry.rows, { ...common, kind, reason: null, v: copy.v, tag: copy.tag });
      // equal versions replace as well: the home may have changed, or the fields that this role may see (S23); so does a lower one where no
      // held stream shows the higher any more: an older copy of the database was put back, and its numbers had caught up
      const { streams } = change.core;
      const isHigherShown = rowsNow.some((one) => one.kind === "PUT" && one.v > copy.v && one.generation === streams[one.stream]?.generation);
      const isNewer = !old || old.epoch !== epoch || copy.v >= old.v || !isHigherShown;
      const followsUpon = old?.epoch === epoch && (copy.v > old.v || (copy.v === old.v && copy.tag === old.tag));
      if (old && isNewer && !followsUpon && (old.v !== copy.v || old.tag !== copy.tag)) witness(change, entry);
      change.put({ id, copy: isNewer ? copy : old, rows: rowsNow });
    } else if (kind === "REMOVE") {
      const id = wanted(row, "id", "string");
      const entry = change.entry(id) ?? EMPTY(id);
      const removed: FeedRow = { ...common, kind, reason: (row["reason"] as string | undefined) ?? null, v: Number(row["v"] ?? 0), tag: (row["tag"] as string | undefined) ?? null };
      change.put({ ...entry, rows: upserted(entry.rows, removed) });
    } else if (kind === "STATUS") {
      const id = wanted(row, "op_id", "string");
      const entry = change.entry(id) ?? EMPTY(id);
      change.put({ ...entry, rows: upserted(entry.rows, { ...common, kind, reason: null, v: wanted(row, "status", "number"), tag: null }) });
      const mine = own.get(id);
      noteStatus(change, mine ? change.row(mine.n) : null, epoch, row, row);
    } else throw new NotUnderstood("a row of unknown kind");
  }
}

function copyOf(record: Body, epoch: string): Copy {
  return {
    type: (record["type"] as string | null | undefined) ?? null,
    epoch,
    v: wanted(record, "v", "number"),
    tag: wanted(record, "tag", "string"),
    life: (record["life"] as string | undefined) ?? "live",
    formVersion: Number(record["form_version"] ?? 1),
    home: (record["home"] as string | undefined) ?? null,
    fields: (record["fields"] as Fields | undefined) ?? {},
    conflicts: (record["conflicts"] as string[] | undefined) ?? [],
    confirmed: (record["confirmed"] as Copy["confirmed"] | undefined) ?? {},
  };
}

function upserted(rows: readonly FeedRow[], row: FeedRow): FeedRow[] {
  const old = rows.find((one) => one.stream === row.stream);
  if (old && !(row.generation > old.generation || row.seq >= old.seq)) return [...rows];
  return [...rows.filter((one) => one.stream !== row.stream), row];
}

/** From now on the rows of these streams come from zero; the old ones stay visible until they are swept. */
export function rebuild(change: Change, names: readonly string[]): void {
  if (!names.length) return;
  const streams = { ...change.core.streams };
  for (const name of names) {
    const state = streams[name];
    if (state) streams[name] = { generation: state.generation + 1, building: true, doubted: false };
  }
  change.patchCore({ streams });
}

/** A stream that this phone may not follow any more: its rows go, and records that no other held stream shows. */
export function dropStream(change: Change, epoch: string, name: string): void {
  for (const entry of [...change.allEntries()]) {
    if (!entry.rows.some((row) => row.stream === name)) continue;
    if (entry.copy && entry.copy.epoch !== epoch) witness(change, entry);
    const rows = entry.rows.filter((row) => row.stream !== name);
    change.put({ ...entry, rows, copy: rows.length ? entry.copy : null });
  }
  const streams = { ...change.core.streams };
  delete streams[name];
  change.patchCore({ streams });
}

const aside = new WeakMap<Change, Map<string, Witness>>();

/** A live copy that the server does not have any more, of an earlier life or of this one: kept aside, offered once (S25). */
function witness(change: Change, entry: Entry): void {
  const { copy } = entry;
  if (!copy || copy.life !== "live" || copy.type === null) return;
  const { type, v, tag, formVersion, home, fields } = copy;
  const record = { id: entry.id, type, v, tag, form_version: formVersion, home, fields } as Value;
  const found = aside.get(change) ?? new Map<string, Witness>();
  const key = `${copy.epoch}/${entry.id}`;
  if (!found.has(key)) found.set(key, { epoch: copy.epoch, record });
  aside.set(change, found);
}

/** At the end of a page: what was set aside joins what waits to be offered, each copy once. */
export function keepWitnesses(change: Change): void {
  const found = aside.get(change);
  if (!found) return;
  for (const one of change.core.witnesses) found.delete(`${one.epoch}/${(one.record as { id: string }).id}`);
  change.patchCore({ witnesses: [...change.core.witnesses, ...found.values()] });
}

/** At a complete page: rebuilt streams lose what was not sent again, removals are applied; of a deleted record the envelope stays. */
export function sweep(change: Change, epoch: string): void {
  const { streams } = change.core;
  for (const entry of [...change.allEntries()]) {
    let { rows, copy } = entry;
    const stale = rows.some((row) => {
      const state = streams[row.stream];
      return state?.building && row.generation < state.generation;
    });
    if (stale) rows = rows.filter((row) => !(streams[row.stream]?.building && row.generation < (streams[row.stream]?.generation ?? 0)));
    const isShown = rows.some((row) => row.kind === "PUT");
    const removed = rows.some((row) => row.kind === "REMOVE");
    if (copy && !isShown) {
      const gone = rows.filter((row) => row.kind === "REMOVE" && row.reason === "deleted").sort((one, two) => two.v - one.v)[0];
      if (gone) copy = { ...copy, life: "deleted", fields: {}, conflicts: [], confirmed: {}, v: gone.v, tag: gone.tag ?? copy.tag };
      if (!rows.length) witness(change, entry);
      if (copy.life !== "deleted" || copy.epoch !== epoch) copy = null;
    }
    if (removed) rows = rows.filter((row) => row.kind !== "REMOVE");
    if (rows !== entry.rows || copy !== entry.copy) change.put({ ...entry, rows, copy });
  }
  if (Object.values(streams).some((state) => state.building)) {
    change.patchCore({ streams: Object.fromEntries(Object.entries(streams).map(([name, state]) => [name, { ...state, building: false }])) });
  }
}

/** Count and digest of every held stream, from the rows on this phone, never adopting the server's word. */
export function totals(at: Pick<Change, "core" | "allEntries">): Record<string, { count: number; digest: string }> {
  const sums = new Map(Object.keys(at.core.streams).map((name) => [name, { count: 0, digest: new Digest() }]));
  for (const entry of at.allEntries()) {
    for (const row of entry.rows) {
      const sum = sums.get(row.stream);
      if (!sum || row.kind === "REMOVE") continue;
      row.hash ??= row.kind === "PUT" ? recordHash(entry.id, row.v, row.tag ?? "") : statusHash(entry.id, row.v);
      sum.digest.add(row.hash);
      if (row.kind === "PUT") sum.count += 1;
    }
  }
  return Object.fromEntries([...sums].sort(([one], [two]) => (one < two ? -1 : 1)).map(([name, { count, digest }]) => [name, { count, digest: digest.hex() }]));
}

/** The held streams whose count or digest is not what the server says, and how many records the others have. */
export function compared(change: Change, told: Body): { differing: string[]; agreed: number } {
  const own = totals(change);
  const differing: string[] = [];
  let agreed = 0;
  for (const [name, total] of Object.entries(told)) {
    const said = total as { count?: unknown; digest?: unknown };
    const mine = own[name];
    if (!mine) continue;
    if (mine.digest !== said.digest || mine.count !== said.count) differing.push(name);
    else agreed += mine.count;
  }
  return { differing, agreed };
}
