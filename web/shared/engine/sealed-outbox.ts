// The unsent part of the log once more, outside the PIN: every group in an envelope that only the server opens. It is
// committed with the operations themselves, so that what was written can be sent while the app is locked or closed.

import { accepted, Stopped } from "./calls.ts";
import { sealEnvelope } from "./envelope.ts";
import { lostBy } from "./erasing.ts";
import type { Core, LogRow } from "./kept-types.ts";
import type { Change } from "./ledger.ts";
import { Offline, type BlockStore, type Transport } from "./parts-types.ts";
import { sha256 } from "./sealing.ts";
import type { Problem } from "./types.ts";
import { leavingDrafts, problem } from "./words.ts";

type Block = Uint8Array<ArrayBuffer>;

const PREFIX = "s/";
const SENDING = "sending";
const MOST_ENVELOPES = 500;
const MOST_CHARACTERS = 4_000_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Kept {
  first_n: number;
  last_n: number;
  /** What the server must have consumed before it. */
  after: { n: number; op_id: string | null };
  envelope: string;
  /** Of which words, install, key and token it was made. */
  mark: string;
}
/** What a sender without the PIN needs besides the envelopes. The token opens nothing: it only hands envelopes over. */
interface Sending {
  install_id: string;
  send_token: string;
  scope: { version: number; last_n: number };
  departures?: Core["departures"];
  receipt: string | null;
  /** How many wait for the PIN: a phone that is out of use keeps them until they have gone. */
  photos: number;
  /** So many were begun and not saved: behind the PIN, too. Absent as earlier programs wrote it. */
  drafts?: number;
}

/** What only the PIN gives: a phone that is out of use waits for it. */
export const behindPin = ({ photos, drafts = 0 }: Pick<Sending, "photos" | "drafts">): number => photos + drafts;

const bytes = (content: unknown): Block => encoder.encode(JSON.stringify(content)) as Block;
const read = <T>(block: Block): T => JSON.parse(decoder.decode(block)) as T;
const photosIn = ({ blobs }: Core): number => Object.values(blobs).filter((one) => one.uploadedAt === null).length;
const facts = ({ installId, token, sendToken, serverKey }: Core): string => JSON.stringify([installId, token, sendToken ?? null, serverKey ?? null]);

/** Keeps the envelopes in step with the log. */
export class SealedOutbox {
  private marks = new Map<number, string>();
  private said = "";
  private next: { marks: Map<number, string>; said: string } | null = null;

  /** What lies there already. */
  async look(store: BlockStore): Promise<void> {
    for (const [, block] of await store.readAll(PREFIX)) {
      const kept = read<Kept>(block);
      this.marks.set(kept.first_n, kept.mark);
    }
    const sending = await store.read(SENDING);
    this.said = sending ? decoder.decode(sending) : "";
  }

  /** The blocks that follow from a change; null deletes one. `drafts`: how many can still be finished. */
  async blocks(change: Change, before: { core: Core; log: ReadonlyMap<number, LogRow> }, drafts: number): Promise<Map<string, Block | null>> {
    const { core } = change;
    const blocks = new Map<string, Block | null>();
    const marks = new Map(this.marks);
    const groups = new Set<number>();
    if (facts(core) !== facts(before.core)) {
      for (const first of marks.keys()) groups.add(first);
      for (const row of before.log.values()) if (row.state !== "answered") groups.add(row.group);
    }
    for (const [n, row] of change.rows) {
      const old = before.log.get(n);
      if (row) groups.add(row.group);
      if (old) groups.add(old.group);
    }
    for (const first of groups) {
      const rows = this.open(change, first);
      const mark = rows.length && core.sendToken && core.serverKey ? await sha256(encoder.encode(JSON.stringify([facts(core), rows.map((row) => row.opId)]))) : null;
      if (mark === (marks.get(first) ?? null)) continue;
      if (mark === null) {
        marks.delete(first);
        blocks.set(PREFIX + first, null);
      } else {
        marks.set(first, mark);
        blocks.set(PREFIX + first, bytes(await this.sealed(change, rows, mark)));
      }
    }
    const sending: Sending | null = core.sendToken
      ? { install_id: core.installId, send_token: core.sendToken, scope: { version: core.scopeVersion, last_n: core.scopeLastN }, departures: core.departures ?? null, receipt: core.receipt, photos: photosIn(core), drafts }
      : null;
    const said = sending ? JSON.stringify(sending) : "";
    if (said !== this.said) blocks.set(SENDING, sending ? bytes(sending) : null);
    this.next = { marks, said };
    return blocks;
  }

  /** The blocks of the last change were committed. */
  kept(): void {
    if (this.next) ({ marks: this.marks, said: this.said } = this.next);
    this.next = null;
  }

  /** The rows of a group that have no answer yet; a group is sent whole. */
  private open(change: Change, first: number): LogRow[] {
    const rows: LogRow[] = [];
    for (let n = first; ; n++) {
      const row = change.row(n);
      if (row?.group !== first) break;
      rows.push(row);
    }
    return rows.some((row) => row.state !== "answered") ? rows : [];
  }

  private async sealed(change: Change, rows: readonly LogRow[], mark: string): Promise<Kept> {
    const { installId, token, serverKey, prunedN, prunedOpId } = change.core;
    const firstN = (rows[0] as LogRow).n;
    const lastN = (rows[rows.length - 1] as LogRow).n;
    const before = firstN - 1;
    const opId = change.row(before)?.opId ?? (before > 0 && prunedN === before ? prunedOpId : null);
    const plain = JSON.stringify({ token, groups: [{ ops: rows.map((row) => ({ n: row.n, op: row.text })) }] });
    const envelope = await sealEnvelope(serverKey as string, plain, { installId, firstN, lastN });
    return { first_n: firstN, last_n: lastN, after: { n: before, op_id: opId }, envelope, mark };
  }
}

/** What sending without the PIN came to. What the server answered is asked again openly once the PIN was given. */
export interface SealedReport {
  sent: number;
  left: number;
  /** The last n that was looked at. */
  lastN: number;
  problem: Problem | null;
  /** This phone was taken out of use and nothing on it is still needed: why. */
  erase: string | null;
}

export const sizeOf = (kept: readonly Kept[]): number => kept.reduce((sum, one) => sum + one.last_n - one.first_n + 1, 0);

/** What a sender without the PIN finds, oldest first. */
export async function envelopes(store: Pick<BlockStore, "read" | "readAll">): Promise<{ sending: Sending | null; kept: Kept[] }> {
  const sending = await store.read(SENDING);
  const kept = (await store.readAll(PREFIX)).map(([, block]) => read<Kept>(block));
  return { sending: sending ? read<Sending>(sending) : null, kept: kept.sort((one, two) => one.first_n - two.first_n) };
}

/** How many operations lie in envelopes. */
export const sealedCount = async (store: Pick<BlockStore, "read" | "readAll">): Promise<number> => sizeOf((await envelopes(store)).kept);

/** Hands every envelope over; where there is none, only asks whether this phone is still in use. Nothing is deleted or written here, so that a page, a worker and another page may all try. */
export async function sendSealed(store: Pick<BlockStore, "read" | "readAll">, transport: Transport, now: number): Promise<SealedReport> {
  const { sending, kept } = await envelopes(store);
  const whole = sizeOf(kept);
  let left = kept;
  let leaving: string | null = null;
  const report = (why: Problem | null, erase = lostBy(why)): SealedReport => ({ sent: whole - sizeOf(left), left: sizeOf(left), lastN: kept.at(-1)?.last_n ?? 0, problem: why, erase });
  if (!sending) return report(null);
  const asked = new Set<string>();
  try {
    do {
      const batch = fitting(left);
      const key = `${batch[0]?.first_n}/${batch.length}`;
      if (asked.has(key)) return report(problem("busy"));
      asked.add(key);
      const answer = await handOver(transport, sending, batch, now);
      if (answer === null) return report(problem("refused", { details: { slug: "sealed-unreadable" } })); // goes openly, after the PIN
      if (typeof answer["revoked"] === "string") leaving = answer["revoked"];
      if (batch.length === 0) break;
      const at = (answer["expected"] ?? answer["applied"]) as { n: number; op_id: string | null };
      const next = kept.filter((one) => one.last_n > at.n);
      const fits = next.length === 0 || next[0]?.after.n !== at.n || next[0].after.op_id === at.op_id;
      if (answer["expected"] && (!fits || (next[0]?.after.n ?? at.n) !== at.n)) return report(problem("fork_needed", { details: { n: at.n } }));
      left = next;
    } while (left.length);
    if (leaving === null) return report(null);
    if (behindPin(sending) === 0) return report(null, leaving);
    return report(sending.photos === 0 ? leavingDrafts(leaving, sending.drafts ?? 0) : problem("leaving", { details: { reason: leaving } }));
  } catch (error) {
    if (error instanceof Offline) return report(problem("offline"));
    if (error instanceof Stopped) return report(error.problem);
    throw error;
  }
}

function fitting(left: readonly Kept[]): Kept[] {
  const batch: Kept[] = [];
  let size = 0;
  for (const one of left) {
    size += one.envelope.length;
    if (batch.length && (batch.length === MOST_ENVELOPES || size > MOST_CHARACTERS)) break;
    batch.push(one);
  }
  return batch;
}

/** One request; null where not even the first envelope can be opened there. */
async function handOver(transport: Transport, sending: Sending, batch: readonly Kept[], now: number): Promise<Record<string, unknown> | null> {
  const sealed = batch.map(({ first_n, last_n, envelope }) => ({ first_n, last_n, envelope }));
  const { install_id, scope, departures = null, receipt, send_token } = sending;
  const body = { protocol: 1, install_id, after: batch[0]?.after ?? { n: 0, op_id: null }, scope, departures, sent_at: new Date(now).toISOString(), receipt, sealed };
  const answer = await transport.request("POST", "/api/v1/sync/push/sealed", { body, token: send_token });
  if (answer.status === 422 && String(answer.body["type"]).endsWith("sealed-unreadable")) {
    const pointer = String((answer.body["errors"] as { pointer?: string }[] | undefined)?.[0]?.pointer ?? "");
    const good = Number(/^\/sealed\/(\d+)/.exec(pointer)?.[1] ?? 0);
    return good > 0 && good < batch.length ? handOver(transport, sending, batch.slice(0, good), now) : null;
  }
  return accepted(answer).body;
}
