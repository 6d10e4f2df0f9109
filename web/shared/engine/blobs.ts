// Photos and files, sealed on the phone until the server can take them; known by the SHA-256 of their bytes.

import type { KeptBlob } from "./kept-types.ts";
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

/** Whether an operation names it beside the fields that it sets: as the proof of a place, or in a command. */
const isProof = (text: string, name: string): boolean => {
  const { set: _, was: __, ...rest } = JSON.parse(text) as Record<string, unknown>;
  return JSON.stringify(rest).includes(name);
};

/**
 * Photos that could not be uploaded (`stays`) and were taken off their records since: nobody waits for them. `shown`: the records of
 * these ids as they are seen now, and what is being typed. One that any copy or open conflict of this phone names stays.
 */
export async function dropTakenOff(ledger: Ledger, shown: (ids: ReadonlySet<string>) => readonly unknown[]): Promise<void> {
  const { blobs, disputes } = ledger.core;
  const isOff = (name: string): boolean => {
    const { uploadedAt, stays } = blobs[name] as KeptBlob;
    if (uploadedAt !== null || !stays) return false;
    const rows = [...ledger.log.values()].filter((row) => row.text.includes(name));
    // without any it is of a form that is being filled in
    if (rows.length === 0 || rows.some((row) => isProof(row.text, name))) return false;
    const ids = new Set(rows.flatMap((row) => row.steps.map((step) => step.id)));
    const copies = [...ledger.entries.values()].flatMap(({ copy }) => (copy?.life === "live" ? [copy.fields] : []));
    return ![disputes, ...shown(ids), ...copies].some((one) => JSON.stringify(one ?? null).includes(name));
  };
  const off = new Set(Object.keys(blobs).filter(isOff));
  if (off.size === 0) return;
  await ledger.change("blobs: taken off", (change) => {
    for (const name of off) change.blobs.set(`b/${name}`, null);
    change.patchCore({ blobs: Object.fromEntries(Object.entries(change.core.blobs).filter(([name]) => !off.has(name))) });
  });
}

/** A photo that was taken off again before anything named it: nobody sends it. One that an operation names stays (`dropTakenOff`). */
export function dropBlob(ledger: Ledger, name: string): Promise<void> {
  return ledger.change("blob: dropped", (change) => {
    const known = change.core.blobs[name];
    if (!known || known.uploadedAt !== null || change.allRows().some((row) => row.text.includes(name))) return;
    change.blobs.set(`b/${name}`, null);
    change.patchCore({ blobs: Object.fromEntries(Object.entries(change.core.blobs).filter(([one]) => one !== name)) });
  });
}
