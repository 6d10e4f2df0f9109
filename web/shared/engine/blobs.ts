// Photos and files, sealed on the phone until the server can take them; known by the SHA-256 of their bytes.

import type { Ledger } from "./ledger.ts";
import type { BlockStore } from "./parts-types.ts";
import { sha256 } from "./sealing.ts";

export interface Blob {
  bytes: Uint8Array;
  mime: string;
}

/** The name under which an operation may mention it. */
export async function keepBlob(ledger: Ledger, { bytes, mime }: Blob): Promise<string> {
  const name = await sha256(bytes);
  const sealed = await ledger.seal.seal(`b/${name}`, new Uint8Array(bytes));
  await ledger.change("blob", (change) => {
    change.blobs.set(`b/${name}`, sealed);
    change.patchCore({ blobs: { ...change.core.blobs, [name]: { mime, size: bytes.length } } });
  });
  return name;
}

export async function readBlob(ledger: Ledger, store: BlockStore, name: string): Promise<Blob | null> {
  const known = ledger.core.blobs[name];
  const sealed = known ? await store.read(`b/${name}`) : null;
  return known && sealed ? { bytes: await ledger.seal.open(`b/${name}`, sealed), mime: known.mime } : null;
}
