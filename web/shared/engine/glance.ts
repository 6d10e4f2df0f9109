// What the first screen shows, kept sealed beside the records, so that it can stand before all of them are opened. It is the screen's own;
// the engine only knows whether the phone still holds what it was made of.

import type { Ledger } from "./ledger.ts";
import type { BlockStore } from "./parts-types.ts";

const BLOCK = "glance";

/** A ledger whose records are still being opened, and what the screen kept. */
export interface Early {
  ledger: Ledger;
  kept: unknown;
}

/** Another one as soon as a record or its forms may be another one: own operations and what became of them, a page of a pull, reference data, another life of the database. */
function stampOf(ledger: Ledger): string {
  const { installId, epoch, cursor, scopeVersion, lastSyncAt, prunedN } = ledger.core;
  const standing: Record<string, number> = {};
  for (const { state, now, settled, status } of ledger.log.values()) {
    const as = `${state} ${now} ${settled} ${status}`;
    standing[as] = (standing[as] ?? 0) + 1;
  }
  const told = Object.entries(standing).sort(([one], [two]) => (one < two ? -1 : 1));
  return JSON.stringify([installId, epoch, cursor, scopeVersion, lastSyncAt, prunedN, ledger.lastN(), ledger.reference?.etag ?? null, told]);
}

/** Keeps it, and whether it did; silently not where the phone is full or another page has the storage, which the next entry says. */
export async function keepGlance(ledger: Ledger, kept: unknown): Promise<boolean> {
  const of = stampOf(ledger);
  const sealed = await ledger.seal.sealJson(BLOCK, [of, kept]);
  const keep = ledger.change("glance", (change) => void change.blobs.set(BLOCK, sealed));
  return keep.then(() => true, () => false);
}

/** What was kept; null where there is nothing, it is damaged, or something has changed since. */
export async function openGlance(ledger: Ledger, store: BlockStore): Promise<unknown> {
  const block = await store.read(BLOCK);
  if (!block) return null;
  const [of, kept] = await ledger.seal.openJson<[string, unknown]>(BLOCK, block).catch(() => ["", null] as const);
  return of === stampOf(ledger) ? kept : null;
}
