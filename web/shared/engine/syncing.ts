// One synchronisation: what it sends and reads, in which order, and what it tells. It never throws.

import { askAsked } from "./asked.ts";
import { dropTakenOff } from "./blobs.ts";
import { accepted, call, problemOf, servedAt, Stopped, wanted, type Line } from "./calls.ts";
import { askDisputes } from "./disputes.ts";
import { handOver } from "./erasing.ts";
import { fork } from "./forking.ts";
import type { KeptReference } from "./kept-types.ts";
import type { Ledger } from "./ledger.ts";
import { Offline, type Answer, type Transport } from "./parts-types.ts";
import { pageRows } from "./page-rows.ts";
import { nothingPulled, offerWitnesses, pull, type PullReport } from "./pull.ts";
import { stayingPhotos, uploadBlobs } from "./uploading.ts";
import { push, readConfig } from "./push.ts";
import type { Reference } from "./reference-types.ts";
import { EngineError, type Problem, type SyncProgress, type SyncReport } from "./types.ts";
import { problem } from "./words.ts";
import type { FormRegistry } from "../forms/form.ts";

const SKEW_S = 300;
/** So exact is the time that stands in every answer, after a slow line. */
const NEAR_S = 120;

/** What a synchronisation needs besides the line. */
export interface SyncDesk {
  line: Line;
  registry: () => FormRegistry;
  newId: () => string;
  readBlob: (name: string) => Promise<Uint8Array<ArrayBuffer> | null>;
  /** The live ones among these records as they are seen, and what is being typed. */
  shown: (ids: ReadonlySet<string>) => readonly unknown[];
  progress: (progress: SyncProgress) => void;
  pageLimit?: number | null;
}

/** Push, then pull: so that every own operation has its answer before the copies contain it. */
export async function synchronise(desk: SyncDesk): Promise<{ report: SyncReport; problems: Problem[] }> {
  const { line } = desk;
  const { ledger } = line;
  const started = line.now();
  const report: SyncReport = {
    complete: false, sent: 0, unsentLeft: 0, received: 0, agreed: 0, outcomes: {}, added: [], dropped: [], reopened: 0,
    referenceChanged: false, bytesUp: 0, bytesDown: 0, seconds: 0, problem: null, erase: null,
  };
  const tell = (phase: SyncProgress["phase"], done: number, total: number | null): void =>
    desk.progress({ phase, done, total, bytesDown: line.meter.bytesDown, bytesUp: line.meter.bytesUp });
  const pushAll = async (): Promise<void> => {
    const unsent = [...ledger.log.values()].filter((row) => row.state !== "answered").length;
    tell("push", 0, unsent);
    const pushed = await push(line, (done) => tell("push", done, Math.max(unsent, done)));
    report.sent += pushed.answered;
    for (const [outcome, count] of Object.entries(pushed.outcomes)) report.outcomes[outcome] = (report.outcomes[outcome] ?? 0) + count;
  };
  const pullAll = async (): Promise<PullReport> => {
    const before = report.received;
    tell("pull", before, null);
    const pulled = await pull(line, desk.registry(), pageRows(line.transport, desk.pageLimit ?? null), (rows, coming) => tell("pull", before + rows, coming === null ? null : before + coming));
    report.received += pulled.rows;
    report.agreed = pulled.agreed;
    report.added.push(...pulled.added);
    report.dropped.push(...pulled.dropped);
    report.reopened += pulled.reopened;
    return pulled;
  };
  /** Push, then pull; a log that is not the server's is found by either (S21). */
  const agree = async (): Promise<PullReport> => {
    try {
      await pushAll();
    } catch (error) {
      if (!(error instanceof Stopped) || error.problem.code !== "fork_needed") throw error;
      return nothingPulled();
    }
    return pullAll();
  };
  try {
    await readConfig(line);
    if (!ledger.reference) report.referenceChanged = await readReference(line, tell);
    let pulled = await agree();
    if (ledger.core.needsFork) {
      await fork(line, desk.newId);
      await readConfig(line); // envelopes are for the new install from here on
      pulled = await agree();
    }
    if (pulled.reopened && !pulled.needsFork) {
      await pushAll();
      await pullAll();
    }
    await offerWitnesses(line);
    await askDisputes(line);
    await askAsked(line);
    await dropTakenOff(ledger, desk.shown);
    if (await uploadBlobs(line, desk.readBlob)) await pullAll();
    if (!report.referenceChanged) report.referenceChanged = await readReference(line, tell);
    await ledger.change("sync: done", (change) => change.patchCore({ lastSyncAt: new Date(line.now()).toISOString() }));
    report.complete = !pulled.needsFork && ledger.core.needsFork === null;
  } catch (error) {
    report.problem = problemOf(error);
  }
  await noteClock(line).catch(() => undefined); // a full phone hears of it at the next contact
  Object.assign(report, await handOver(report.problem, ledger, () => pushAll().then(() => uploadBlobs(line, desk.readBlob))));
  if (!report.problem && ledger.core.needsFork) report.problem = problem("fork_needed", { details: { n: ledger.core.needsFork.n } });
  report.unsentLeft = [...ledger.log.values()].filter((row) => row.state !== "answered").length;
  report.bytesUp = line.meter.bytesUp;
  report.bytesDown = line.meter.bytesDown;
  report.seconds = Math.max(0, (line.now() - started) / 1000);
  tell("done", report.received, report.received);
  return { report, problems: standingProblems(ledger, report.problem) };
}

/** Problems that hold until the next synchronisation says otherwise. */
export function standingProblems(ledger: Ledger, met: Problem | null): Problem[] {
  const found = met ? [met] : [];
  const { skewS, scopeNews, needsFork, streams } = ledger.core;
  if (skewS !== null && Math.abs(skewS) > SKEW_S) found.push(problem("clock_wrong", { details: { skew_s: Math.round(skewS) } }));
  if (scopeNews) found.push(problem("scope_changed", { details: { added: scopeNews.added, dropped: scopeNews.dropped } }));
  if (needsFork && met?.code !== "fork_needed") found.push(problem("fork_needed", { details: { n: needsFork.n } }));
  if (stayingPhotos(ledger.core)) found.push(problem("photo_stays", { details: { n: stayingPhotos(ledger.core) } }));
  if (Object.values(streams).some((state) => state.doubted) && met?.code !== "copies_doubtful") found.push(problem("copies_doubtful"));
  return found;
}

/** Keeps what the answers told of the device's clock, where that is news: whoever writes by it is to know before. */
async function noteClock({ ledger, meter: { skewS } }: Line): Promise<void> {
  const known = ledger.core.skewS;
  if (skewS === undefined || (known !== null && Math.abs(skewS - known) <= NEAR_S)) return;
  await ledger.change("clock", (change) => change.patchCore({ skewS }));
}

async function readReference(line: Line, tell: (phase: "reference", done: number, total: number | null) => void): Promise<boolean> {
  const { ledger } = line;
  tell("reference", 0, 1);
  const known = ledger.reference?.etag;
  const answer = await call(line, "reference", "GET", "/api/v1/reference", undefined, known ? { "if-none-match": known } : {});
  tell("reference", 1, 1);
  if (answer.status === 304) return false;
  const content = answer.body as unknown as Reference;
  for (const name of ["forms", "codelists", "cells"]) wanted(answer.body, name, "object");
  const reference: KeptReference = { etag: answer.headers["etag"] ?? null, content };
  await ledger.change("reference", (change) => {
    change.reference = reference;
  });
  return true;
}

/** Something beside the records, by a GET of the enrolled phone. Throws EngineError with the problem that stopped it. */
export async function fetched(ledger: Ledger, transport: Transport, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  try {
    return accepted(await transport.request("GET", path, { token: ledger.core.token, headers }));
  } catch (error) {
    const met = error instanceof Offline ? problem("offline") : problemOf(error);
    throw new EngineError("refused", met.says, [], met);
  }
}

