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
    change.patchCore({ blobs: { ...change.core.blobs, [name]: change.core.blobs[name] ?? { mime, size: bytes.length, upload: null, uploadedAt: null } } });
  });
  return name;
}

/** The bytes alone; null for what is not on this phone. */
export async function openBlob(ledger: Ledger, store: Pick<BlockStore, "read">, name: string): Promise<Uint8Array<ArrayBuffer> | null> {
  const sealed = await store.read(`b/${name}`);
  return sealed ? ledger.seal.open(`b/${name}`, sealed) : null;
}

export async function readBlob(ledger: Ledger, store: Pick<BlockStore, "read">, name: string): Promise<Blob | null> {
  const known = ledger.core.blobs[name];
  const bytes = known ? await openBlob(ledger, store, name) : null;
  return known && bytes ? { bytes, mime: known.mime } : null;
}

/** A photo that was taken off again before anything named it: nobody sends it. One that an operation names stays. */
export function dropBlob(ledger: Ledger, name: string): Promise<void> {
  return ledger.change("blob: dropped", (change) => {
    const known = change.core.blobs[name];
    if (!known || known.uploadedAt !== null || change.allRows().some((row) => row.text.includes(name))) return;
    change.blobs.set(`b/${name}`, null);
    change.patchCore({ blobs: Object.fromEntries(Object.entries(change.core.blobs).filter(([one]) => one !== name)) });
  });
}
