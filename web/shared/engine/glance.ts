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

/** Another one as soon as a record may be another one: own operations, a page of a pull, another life of the database. */
const stampOf = (ledger: Ledger): string => {
  const { installId, epoch, cursor, scopeVersion, lastSyncAt, prunedN } = ledger.core;
  return JSON.stringify([installId, epoch, cursor, scopeVersion, lastSyncAt, prunedN, ledger.lastN()]);
};

/** Keeps it; silently not where the phone is full or another page has the storage, which the next entry says. */
export async function keepGlance(ledger: Ledger, kept: unknown): Promise<void> {
  const of = stampOf(ledger);
  const sealed = await ledger.seal.sealJson(BLOCK, [of, kept]);
  await ledger.change("glance", (change) => void change.blobs.set(BLOCK, sealed)).catch(() => undefined);
}

/** What was kept; null where there is nothing, it is damaged, or something has changed since. */
export async function openGlance(ledger: Ledger, store: BlockStore): Promise<unknown> {
  const block = await store.read(BLOCK);
  if (!block) return null;
  const [of, kept] = await ledger.seal.openJson<[string, unknown]>(BLOCK, block).catch(() => ["", null] as const);
  return of === stampOf(ledger) ? kept : null;
}
