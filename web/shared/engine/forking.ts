// Going on as an install of its own, when the server's log of this install is not this phone's (S21): a cloned phone, or
// one that was put back from a backup. Operations keep their op_ids and bytes and get new numbers from 1 on.

import { call, wanted, type Line } from "./calls.ts";

const MOST_LINES = 20_000;

/** Becomes a fork. Throws Stopped; safe to repeat: the id is kept before it is sent, so that asking again gives the same install. */
export async function fork(line: Line, newId: () => string): Promise<void> {
  const { ledger } = line;
  const forkId = ledger.core.forkId ?? newId();
  if (ledger.core.forkId === null) await ledger.change("fork: id", (change) => change.patchCore({ forkId }));
  const { core } = ledger;
  const lines: [number, string | null][] = [...ledger.log.values()].slice(1 - MOST_LINES).map((row) => [row.n, row.opId]);
  if (core.prunedN) lines.unshift([core.prunedN, core.prunedOpId]);
  const { body } = await call(line, "fork", "POST", "/api/v1/sync/fork", { protocol: 1, install_id: core.installId, fork_id: forkId, log: lines });
  const installId = wanted(body, "install_id", "string");
  const token = wanted(body, "device_token", "string");
  await ledger.change("fork", (change) => {
    const rows = change.allRows();
    const before = (rows[0]?.n ?? 1) - 1;
    for (const row of rows) change.rows.set(row.n, null);
    for (const row of rows) {
      const n = row.n - before;
      change.rows.set(n, { ...row, n, group: row.group - before, state: "unsent", acknowledged: false, acknowledgedAt: null, status: 0 });
    }
    const old = `install/${change.core.installId}`;
    for (const entry of [...change.allEntries()]) {
      if (entry.rows.some((row) => row.stream === old)) change.put({ ...entry, rows: entry.rows.filter((row) => row.stream !== old) });
    }
    const streams = { ...change.core.streams };
    delete streams[old];
    const renumbered = (n: number): number => Math.max(0, Math.min(rows.length, n - before));
    const scopeLastN = renumbered(change.core.scopeLastN);
    const told = change.core.departures;
    const taken = (told?.taken ?? []).map((one) => ({ ...one, after: renumbered(one.after), last_n: renumbered(one.last_n) })).filter((one) => one.last_n > one.after);
    const departures = told ? { seen: told.seen, last_n: renumbered(told.last_n), ...(taken.length ? { taken } : {}) } : null;
    change.patchCore({
      installId, token, streams, scopeLastN, departures, cursor: null, safeN: 0, receipt: null, prunedN: 0, prunedOpId: null, needsFork: null, forkId: null, rescuedN: 0, sendToken: null, serverKey: null,
    });
  });
}
