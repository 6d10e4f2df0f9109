// Photos after records: each file by the tus protocol, from where the upload stands (docs/protocol.md, Photos). A file is
// deleted here only when the server says that it is safe, or 90 days after it was uploaded.

import { call, Stopped, type Line } from "./calls.ts";
import type { Core, KeptBlob } from "./kept-types.ts";
import type { Change } from "./ledger.ts";
import { SealBroken } from "./sealing.ts";

const TUS = { "tus-resumable": "1.0.0" };
const KEPT_S = 90 * 86_400;
/** What a pull may name. */
export const MOST_NAMED = 1000;

const base64 = (text: string): string => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const gone = (error: unknown): boolean => error instanceof Stopped && [404, 409, 410, 460].includes(Number(error.problem.details?.["status"]));

/**
 * Sends every photo that the server lacks; how many. Throws Stopped; the next time it goes on where the line broke. A photo
 * that the server refuses, or that does not open here any more, stays and is told (`photo_stays`); the others go on.
 */
export async function uploadBlobs(line: Line, read: (name: string) => Promise<Uint8Array<ArrayBuffer> | null>): Promise<number> {
  let count = 0;
  for (const [name, blob] of Object.entries(line.ledger.core.blobs)) {
    if (blob.uploadedAt !== null) continue;
    try {
      const bytes = await read(name);
      if (bytes === null) continue;
      await uploadOne(line, name, blob, bytes);
      count += 1;
    } catch (error) {
      const why = ownTrouble(error);
      if (why === null) throw error;
      await note(line, name, { upload: null, stays: why }); // an upload that has expired begins anew the next time
    }
  }
  return count;
}

/** What is wrong with this one photo; empty for an upload that has expired, null for what would stop every other one too. */
function ownTrouble(error: unknown): string | null {
  if (gone(error)) return "";
  if (error instanceof SealBroken) return "broken";
  return error instanceof Stopped && error.problem.code === "refused" ? error.slug || "refused" : null;
}

/** Photos that an upload was tried of and that stay here. */
export const stayingPhotos = ({ blobs }: Core): number => Object.values(blobs).filter((one) => one.uploadedAt === null && one.stays).length;

async function uploadOne(line: Line, name: string, blob: KeptBlob, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  let { upload } = blob;
  let offset = 0;
  if (upload === null) {
    const about = `sha256 ${base64(name)},filetype ${base64(blob.mime)}`;
    const begun = await call(line, "photo: begin", "POST", "/api/v1/blobs", undefined, { ...TUS, "upload-length": String(bytes.length), "upload-metadata": about });
    upload = new URL(begun.headers["location"] ?? "", "http://server").pathname;
    await note(line, name, { upload });
  } else {
    const standing = await call(line, "photo: standing", "HEAD", upload, undefined, TUS);
    offset = Number(standing.headers["upload-offset"] ?? 0);
  }
  if (offset < bytes.length) {
    const headers = { ...TUS, "upload-offset": String(offset), "content-type": "application/offset+octet-stream" };
    await call(line, "photo: bytes", "PATCH", upload, bytes.subarray(offset), headers);
  }
  await note(line, name, { uploadedAt: line.ledger.core.serverTime ?? line.now() / 1000 });
}

function note(line: Line, name: string, values: Partial<KeptBlob>): Promise<void> {
  return line.ledger.change("photo", (change) => {
    const known = change.core.blobs[name];
    if (known) change.patchCore({ blobs: { ...change.core.blobs, [name]: { ...known, ...values } } });
  });
}

/** What a complete page says of photos: what the server lacks is sent again, what is safe goes. */
export function keepBlobNews(change: Change, answer: Record<string, unknown>): void {
  const missing = new Set((answer["blobs_missing"] as string[] | undefined) ?? []);
  const safe = new Set((answer["blobs_safe"] as string[] | undefined) ?? []);
  const aged = (change.core.serverTime ?? 0) - KEPT_S;
  const entries = Object.entries(change.core.blobs);
  const kept = entries.flatMap(([name, blob]) => {
    if (missing.has(name) && blob.uploadedAt !== null) return [[name, { ...blob, upload: null, uploadedAt: null }] as const];
    const isOver = blob.uploadedAt !== null && (safe.has(name) || blob.uploadedAt < aged);
    if (isOver) change.blobs.set(`b/${name}`, null);
    return isOver ? [] : [[name, blob] as const];
  });
  if (kept.length < entries.length || kept.some(([name, blob]) => blob !== change.core.blobs[name])) change.patchCore({ blobs: Object.fromEntries(kept) });
}
