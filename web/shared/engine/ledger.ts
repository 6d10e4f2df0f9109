// The phone's own state: all of it in memory, every change of it durable first. A change is computed beside what stands,
// sealed, committed as one transaction of the store, and only then shown. Killed anywhere, it is there or it is not.

import { DRAFTS, draftsAfter, openDrafts, unfinished, type KeptDraft } from "./drafts.ts";
import type { Core, Entry, FeedRow, KeptReference, LogRow } from "./kept-types.ts";
import { Fenced, StorageFull, type BlockStore } from "./parts-types.ts";
import { SealedOutbox } from "./sealed-outbox.ts";
import type { Seal } from "./sealing.ts";

const ENTRIES_PER_BLOCK = 96;
const OPS_PER_BLOCK = 32;

type Block = Uint8Array<ArrayBuffer>;
type Packed = [id: string, copy: Entry["copy"], rows: unknown[][]];

const pack = (entry: Entry): Packed => [
  entry.id,
  entry.copy,
  entry.rows.map((row) => [row.stream, row.seq, row.kind, row.reason, row.v, row.tag, row.generation]),
];
const unpackRow = (row: unknown[]): FeedRow =>
  ({ stream: row[0], seq: row[1], kind: row[2], reason: row[3], v: row[4], tag: row[5], generation: row[6] }) as FeedRow;
const unpack = (packed: Packed): Entry => ({ id: packed[0], copy: packed[1], rows: packed[2].map(unpackRow) });
const logBlock = (n: number): number => Math.floor((n - 1) / OPS_PER_BLOCK);

/** One change under way: reads see it, nobody else does. */
export class Change {
  readonly entries = new Map<string, Entry | null>();
  readonly rows = new Map<number, LogRow | null>();
  core: Core;
  reference: KeptReference | null = null;
  readonly blobs = new Map<string, Block | null>();
  readonly drafts = new Map<string, { from: KeptDraft; to: KeptDraft | null }>();
  /** What is being typed is written down as it stands. */
  touchesDrafts = false;

  constructor(private readonly ledger: Ledger) {
    this.core = ledger.core;
  }

  entry(id: string): Entry | null {
    const staged = this.entries.get(id);
    return staged !== undefined ? staged : (this.ledger.entries.get(id) ?? null);
  }

  /** Every entry as it would stand. */
  *allEntries(): Iterable<Entry> {
    for (const [id, entry] of this.ledger.entries) {
      const staged = this.entries.get(id);
      if (staged === undefined) yield entry;
      else if (staged !== null) yield staged;
    }
    for (const [id, staged] of this.entries) if (staged !== null && !this.ledger.entries.has(id)) yield staged;
  }

  put(entry: Entry): void {
    this.entries.set(entry.id, entry.copy === null && entry.rows.length === 0 ? null : entry);
  }

  patchCore(values: Partial<Core>): void {
    this.core = { ...this.core, ...values };
  }

  row(n: number): LogRow | null {
    const staged = this.rows.get(n);
    return staged !== undefined ? staged : (this.ledger.log.get(n) ?? null);
  }

  /** The log as it would stand, oldest first. */
  allRows(): LogRow[] {
    const found = [...this.ledger.log.values()].flatMap((row) => this.rows.get(row.n) ?? (this.rows.has(row.n) ? [] : [row]));
    for (const [n, row] of this.rows) if (row !== null && !this.ledger.log.has(n)) found.push(row);
    return found.sort((one, two) => one.n - two.n);
  }

  patchRow(n: number, values: Partial<LogRow>): void {
    const row = this.row(n);
    if (row) this.rows.set(n, { ...row, ...values });
  }

  /** Every draft as it would stand. */
  allDrafts = (): KeptDraft[] => draftsAfter(this.ledger.drafts, this.drafts);

  /** `to` null: it goes. One that was typed into since stays. */
  replaceDraft(draft: KeptDraft, to: KeptDraft | null): void {
    const staged = [...this.drafts.values()].find((one) => one.to === draft);
    const from = staged?.from ?? draft;
    this.drafts.set(from.place, { from, to });
  }

  lastN(): number {
    let last = this.ledger.lastN();
    for (const [n, row] of this.rows) if (row !== null && n > last) last = n;
    return last;
  }
}

/** Called after a change was kept, with what it changed. */
export type Changed = (change: Change) => void;

/** The state of one install. */
export class Ledger {
  entries = new Map<string, Entry>();
  /** In the order of n. */
  log = new Map<number, LogRow>();
  reference: KeptReference | null = null;
  /** By place; known at once, durable with the next change that touches them. */
  drafts = new Map<string, KeptDraft>();
  private blockOf = new Map<string, number>();
  private members: Set<string>[] = [];
  private turn: Promise<unknown> = Promise.resolve();
  private isLost = false;
  private readonly outbox = new SealedOutbox();

  constructor(
    private readonly store: BlockStore,
    readonly seal: Seal,
    public core: Core,
    private readonly fault: (step: string) => void,
    private readonly changed: Changed,
  ) {}

  /** Opens what was kept; `early` is awaited with everything but the records. Throws SealBroken where a block is not what it was. */
  static async open(store: BlockStore, seal: Seal, fault: (step: string) => void, changed: Changed, early: (ledger: Ledger) => Promise<void>): Promise<Ledger | null> {
    const coreBlock = await store.read("core");
    if (!coreBlock) return null;
    const ledger = new Ledger(store, seal, await seal.openJson<Core>("core", coreBlock), fault, changed);
    const reference = await store.read("reference");
    if (reference) ledger.reference = await seal.openJson<KeptReference>("reference", reference);
    const logs = await Promise.all((await store.readAll("l/")).map(([name, block]) => seal.openJson<LogRow[]>(name, block)));
    for (const row of logs.flat().sort((one, two) => one.n - two.n)) ledger.log.set(row.n, row);
    await ledger.outbox.look(store);
    ledger.drafts = await openDrafts(store, seal);
    await early(ledger);
    const blocks = await store.readAll("e/");
    const opened = await Promise.all(blocks.map(([name, block]) => seal.openJson<Packed[]>(name, block)));
    opened.forEach((packed, at) => {
      const number = Number((blocks[at] as [string, Block])[0].slice(2));
      const inside = new Set<string>();
      for (const one of packed) {
        const entry = unpack(one);
        ledger.entries.set(entry.id, entry);
        ledger.blockOf.set(entry.id, number);
        inside.add(entry.id);
      }
      ledger.members[number] = inside;
    });
    for (let number = 0; number < ledger.members.length; number++) ledger.members[number] ??= new Set();
    return ledger;
  }

  lastN(): number {
    let last = this.core.prunedN;
    for (const n of this.log.keys()) if (n > last) last = n;
    return last;
  }

  /** From now on nothing is written: the key was forgotten or another tab has the storage. */
  abandon(): void {
    this.isLost = true;
  }

  /** One change, one transaction. `compute` must not wait; what it throws takes all of it back. One after the other. */
  change<T>(name: string, compute: (change: Change) => T, about: string | null = null): Promise<T> {
    const run = async (): Promise<T> => {
      if (this.isLost) throw new Fenced("the engine was closed");
      const change = new Change(this);
      const result = compute(change);
      const placing = this.placed(change);
      const blocks = await this.sealed(change, placing);
      if (this.isLost) throw new Fenced("the engine was closed");
      this.fault(`${name}: before commit`);
      if (blocks.size || about !== null) await this.store.commit(blocks, about);
      this.outbox.kept();
      this.apply(change, placing);
      this.changed(change);
      this.fault(`${name}: committed`);
      return result;
    };
    const next = this.turn.then(run, run);
    this.turn = next.catch(() => undefined);
    return next;
  }

  /** The block of each entry that is new; those that fit join the last block. */
  private placed(change: Change): Map<string, number> {
    const placing = new Map<string, number>();
    let number = Math.max(0, this.members.length - 1);
    let room = ENTRIES_PER_BLOCK - (this.members[number]?.size ?? 0);
    for (const [id, entry] of change.entries) {
      if (entry === null || this.blockOf.has(id)) continue;
      if (room <= 0) {
        number += 1;
        room = ENTRIES_PER_BLOCK;
      }
      placing.set(id, number);
      room -= 1;
    }
    return placing;
  }

  private async sealed(change: Change, placing: Map<string, number>): Promise<Map<string, Block | null>> {
    const content = new Map<string, unknown>();
    const touched = new Set<number>(placing.values());
    for (const id of change.entries.keys()) {
      const number = this.blockOf.get(id);
      if (number !== undefined) touched.add(number);
    }
    const fresh = new Map<number, Packed[]>();
    for (const [id, number] of placing) {
      const packed = pack(change.entries.get(id) as Entry);
      const list = fresh.get(number);
      if (list) list.push(packed);
      else fresh.set(number, [packed]);
    }
    for (const number of touched) {
      const kept = [...(this.members[number] ?? [])].flatMap((id) => {
        const entry = change.entry(id);
        return entry ? [pack(entry)] : [];
      });
      content.set(`e/${number}`, [...kept, ...(fresh.get(number) ?? [])]);
    }
    for (const number of new Set([...change.rows.keys()].map(logBlock))) {
      const rows: LogRow[] = [];
      for (let n = number * OPS_PER_BLOCK + 1; n <= (number + 1) * OPS_PER_BLOCK; n++) {
        const row = change.row(n);
        if (row) rows.push(row);
      }
      content.set(`l/${number}`, rows.length ? rows : null);
    }
    if (change.core !== this.core) content.set("core", change.core);
    if (change.reference) content.set("reference", change.reference);
    const drafts = change.allDrafts();
    if (change.touchesDrafts || change.drafts.size) content.set(DRAFTS, drafts.length ? drafts : null);
    const blocks = new Map<string, Block | null>([...change.blobs, ...(await this.outbox.blocks(change, this, unfinished(drafts).length))]);
    await Promise.all(
      [...content].map(async ([name, value]) => {
        blocks.set(name, value === null ? null : await this.seal.sealJson(name, value));
      }),
    );
    return blocks;
  }

  private apply(change: Change, placing: Map<string, number>): void {
    for (const [id, entry] of change.entries) {
      if (entry === null) {
        this.members[this.blockOf.get(id) ?? -1]?.delete(id);
        this.blockOf.delete(id);
        this.entries.delete(id);
      } else this.entries.set(id, entry);
    }
    for (const [id, number] of placing) {
      (this.members[number] ??= new Set()).add(id);
      this.blockOf.set(id, number);
    }
    const isAppend = [...change.rows].every(([n, row]) => row !== null && (this.log.has(n) || n > this.lastN()));
    for (const [n, row] of change.rows) {
      if (row === null) this.log.delete(n);
      else this.log.set(n, row);
    }
    if (!isAppend) this.log = new Map([...this.log].sort(([one], [two]) => one - two));
    this.core = change.core;
    if (change.reference) this.reference = change.reference;
    if (change.drafts.size) this.drafts = new Map(draftsAfter(this.drafts, change.drafts).map((one) => [one.place, one]));
  }
}

export { Fenced, StorageFull };
