// A little room that is kept for the day when a phone is full: with it given back, the PIN can still be tried and counted.

import type { Ledger } from "./ledger.ts";
import { StorageFull, type BlockStore } from "./parts-types.ts";

const RESERVE = "reserve";
const SIZE = 131_072;
const AT_ONCE = 65_536;

/** Sets it aside where it is not there; a phone without room for it goes on without. */
export async function setAside(ledger: Ledger, store: BlockStore): Promise<void> {
  if (await store.read(RESERVE)) return;
  const block = new Uint8Array(SIZE); // random, so that no disk makes it smaller
  for (let at = 0; at < SIZE; at += AT_ONCE) crypto.getRandomValues(block.subarray(at, at + AT_ONCE));
  await ledger.change("reserve", (change) => void change.blobs.set(RESERVE, block)).catch(() => undefined);
}

/** Keeps `about`, in the reserve where there is no other room; false where there is none at all. */
export async function keepAbout(store: BlockStore, about: string): Promise<boolean> {
  for (const blocks of [null, new Map([[RESERVE, null]]), null]) {
    try {
      await store.commit(blocks ?? new Map(), about);
      return true;
    } catch (error) {
      if (!(error instanceof StorageFull)) throw error;
      if (blocks) await store.commit(blocks, null).catch(() => undefined); // given back by itself, then tried once more
    }
  }
  return false;
}
