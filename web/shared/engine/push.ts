// Sending the log: contiguous, in groups, as often as it takes (S12, S13, S17, S21). The twin of sync/device/push.py.

import { call, NotUnderstood, PROTOCOL, Stopped, wanted, type Line } from "./calls.ts";
import { isOwn, looked, noteStatus, notInFile, opIdAt } from "./keeping.ts";
import type { Limits, LogRow } from "./kept-types.ts";
import type { Ledger } from "./ledger.ts";
import { problem } from "./words.ts";
import { MAX_GROUP_OPS } from "./writing.ts";

const DEFAULT_LIMITS: Limits = { max_ops: 2000, max_bytes: 8_000_000, max_op_bytes: 262_144, page_rows: 1000 };
const ENVELOPE_BYTES = 4096;
const CONFIG_MS = 3_600_000;
const encoder = new TextEncoder();

/** What a push did. */
export interface PushReport {
  answered: number;
  outcomes: Record<string, number>;
}

/** Sends everything that has no answer yet. Killed anywhere, the next push sends the same bytes at the same n again (L6). */
export async function push(line: Line, progress: (answered: number) => void): Promise<PushReport> {
  const report: PushReport = { answered: 0, outcomes: {} };
  const { ledger } = line;
  let start: number | null = null;
  let missing: { n: number; op_id: string | null } | null = null;
  const asked = new Set<string>();
  for (;;) {
    if (ledger.core.needsFork) throw forkNeeded(ledger.core.needsFork);
    const batch = nextBatch([...ledger.log.values()], start, { ...DEFAULT_LIMITS, ...ledger.core.limits });
    if (batch.length === 0) return report;
    const sentAt = line.now();
    const body: Record<string, unknown> = await markSent(line, batch, sentAt);
    if (missing) body["missing"] = missing;
    const { body: answer } = await call(line, "push", "POST", "/api/v1/sync/push", body);
    if (answer["expected"]) {
      await ledger.change("push: receipt", (change) => change.patchCore({ receipt: (answer["receipt"] as string | undefined) ?? change.core.receipt }));
      [start, missing] = await continueAfter(line, wanted(answer, "expected", "object"));
      const key = `${start}/${missing === null}`;
      if (asked.has(key)) throw new NotUnderstood("the server expects again what it was just sent");
      asked.add(key);
      continue;
    }
    missing = null;
    const results = wanted(answer, "results", "array");
    if (results.length === 0) throw new Stopped(problem("busy")); // its time was over before the first group
    await storeAnswers(line, batch, answer, results, sentAt);
    report.answered += results.length;
    for (const result of results) {
      const outcome = String((result["now"] as { outcome?: unknown } | undefined)?.outcome);
      report.outcomes[outcome] = (report.outcomes[outcome] ?? 0) + 1;
    }
    progress(report.answered);
    // after a jump back to the server's head everything behind it is sent again, also what was answered before
    start = start === null ? null : (batch[results.length - 1] as LogRow).n + 1;
  }
}

/** Limits, versions and a token under the house's present secret, read again when one of them may have changed (docs/protocol.md, sections 3 and S28). */
export async function readConfig(line: Line): Promise<void> {
  const { core } = line.ledger;
  const isFresh = core.limits && core.sendToken && core.configBy === line.appVersion && Math.abs(line.now() - core.configAt) < CONFIG_MS;
  if (isFresh) return;
  const { body } = await call(line, "config", "GET", "/api/v1/sync/config");
  if (Number(body["min_protocol"] ?? PROTOCOL) > PROTOCOL) throw new Stopped(problem("version_old"));
  const limits = wanted(body, "limits", "object") as unknown as Limits;
  const renewed = typeof body["device_token"] === "string" ? { token: body["device_token"] } : {};
  await line.ledger.change("config", (change) =>
    change.patchCore({ limits, configAt: line.now(), configBy: line.appVersion, ...renewed, ...sendingFacts(body) }),
  );
}

/** What sealing the outbox needs, where the server tells it (docs/protocol.md, section 5, Sealed sending). */
export function sendingFacts(answer: Record<string, unknown>): { sendToken: string | null; serverKey: string | null } {
  const { send_token: token, server_public_key: key } = answer;
  return typeof token === "string" && typeof key === "string" ? { sendToken: token, serverKey: key } : { sendToken: null, serverKey: null };
}

export const forkNeeded = (expected: { n: number; op_id: string | null }): Stopped =>
  new Stopped(problem("fork_needed", { details: { n: expected.n } }));

/** Whole groups from the first operation without an answer on (or from `start`), as many as fit; at least one. */
export function nextBatch(rows: readonly LogRow[], start: number | null, limits: Limits): LogRow[] {
  const from = start ?? rows.find((row) => row.state !== "answered")?.group;
  if (from === undefined) return [];
  const left = rows.filter((row) => row.n >= from).slice(0, limits.max_ops + MAX_GROUP_OPS);
  const batch: LogRow[] = [];
  let group: LogRow[] = [];
  let size = ENVELOPE_BYTES;
  for (const [position, row] of left.entries()) {
    group.push(row);
    size += encoder.encode(JSON.stringify(row.text)).length + 32;
    if (left[position + 1]?.group === row.group) continue;
    if (batch.length && (batch.length + group.length > limits.max_ops || size > limits.max_bytes)) break;
    batch.push(...group);
    group = [];
  }
  return batch;
}

/** The body of a push. From here on the server may know these operations. */
async function markSent(line: Line, batch: readonly LogRow[], sentAt: number): Promise<Record<string, unknown>> {
  const { ledger } = line;
  await ledger.change("push: sent", (change) => {
    for (const row of batch) if (row.state === "unsent") change.patchRow(row.n, { state: "sent" });
  });
  const { core } = ledger;
  const groups = new Map<number, { n: number; op: string }[]>();
  for (const row of batch) {
    const members = groups.get(row.group);
    if (members) members.push({ n: row.n, op: row.text });
    else groups.set(row.group, [{ n: row.n, op: row.text }]);
  }
  const before = (batch[0] as LogRow).n - 1;
  return {
    protocol: PROTOCOL,
    install_id: core.installId,
    after: { n: before, op_id: opIdAt(looked(ledger), before) },
    scope: { version: core.scopeVersion, last_n: core.scopeLastN },
    departures: core.departures ?? null,
    sent_at: new Date(sentAt).toISOString(),
    receipt: core.receipt,
    groups: [...groups.values()].map((ops) => ({ ops })),
  };
}

/** Where the server's log of this install goes on, if it is this log (S12); what was safe and forgotten is told (S25). */
async function continueAfter(line: Line, expected: Record<string, unknown>): Promise<[number, { n: number; op_id: string | null } | null]> {
  const { ledger } = line;
  const head = { n: wanted(expected, "n", "number"), op_id: (expected["op_id"] as string | null | undefined) ?? null };
  if (!isOwn(looked(ledger), head.n, head.op_id)) {
    await ledger.change("push: fork needed", (change) => change.patchCore({ needsFork: head }));
    throw forkNeeded(head);
  }
  await lackedBehind(ledger, head.n);
  if (head.n < ledger.core.prunedN) return [ledger.core.prunedN + 1, head];
  const unanswered = [...ledger.log.values()].find((row) => row.state !== "answered");
  const start = unanswered ? Math.min(head.n + 1, unanswered.group) : head.n + 1;
  return [ledger.log.get(start)?.group ?? start, null];
}

/**
 * What was answered behind the server's head it does not have any more: it was restored. From now on it counts as unsent, also where
 * the line breaks before it went again. What the copies show of it stays until a complete page says otherwise.
 */
async function lackedBehind(ledger: Ledger, n: number): Promise<void> {
  const lacked = [...ledger.log.values()].filter((row) => row.n > n && row.state === "answered");
  if (!lacked.length) return;
  await ledger.change("push: lacked", (change) => {
    for (const row of lacked) {
      notInFile(change, row.n);
      change.patchRow(row.n, { state: "unsent", acknowledged: false, acknowledgedAt: null });
    }
  });
}

/** Keeps the answers, which come in order and may stop early (`continue_from`). */
async function storeAnswers(line: Line, batch: readonly LogRow[], answer: Record<string, unknown>, results: Record<string, unknown>[], sentAt: number): Promise<void> {
  if (results.length > batch.length) throw new NotUnderstood("more results than operations");
  const epoch = wanted(answer, "epoch", "string");
  results.forEach((result, at) => {
    const row = batch[at] as LogRow;
    if (result["n"] !== row.n || result["op_id"] !== row.opId) throw new NotUnderstood("a result is not about the operation that was sent at its n");
    wanted(result, "first", "object");
    wanted(result, "now", "object");
  });
  const skewS = typeof answer["skew_s"] === "number" ? answer["skew_s"] : null;
  // the device's clock is a claim; what it is off by was measured by this very answer
  const serverTime = skewS === null ? null : sentAt / 1000 - skewS;
  await line.ledger.change("push: answers", (change) => {
    results.forEach((result, at) => {
      const { n } = batch[at] as LogRow;
      const first = result["first"] as { outcome?: string; reason?: string | null };
      const row = change.row(n);
      if (!row) return;
      change.patchRow(n, {
        state: "answered",
        acknowledged: true,
        first: first.outcome ?? null,
        firstReason: first.reason ?? null,
        acknowledgedAt: row.acknowledgedAt ?? serverTime,
      });
      noteStatus(change, change.row(n), epoch, result["now"] as object, result);
    });
    const { core } = change;
    change.patchCore({
      safeN: Number(answer["safe_n"] ?? 0),
      skewS: skewS ?? core.skewS,
      serverTime: serverTime ?? core.serverTime,
      receipt: (answer["receipt"] as string | undefined) ?? core.receipt,
    });
  });
}
