// Unsent work in a file: sealed with a passphrase, taken over by another install. Operations keep their op_ids and bytes,
// so that one which did arrive under the first install is recognised and not applied twice (L6, S21). Photos that were not
// uploaded are in it too, as many as a phone can seal at once; the next file holds the next ones, and those that no file holds yet
// hold the sign-out back.

import { openBlob } from "./blobs.ts";
import { toBytes, toText } from "./envelope.ts";
import type { Core, LogRow, TakenSpan } from "./kept-types.ts";
import type { Change, Ledger } from "./ledger.ts";
import type { BlockStore } from "./parts-types.ts";
import { openFile, SealBroken, sealFile } from "./sealing.ts";
import { EngineError, type RescueFile, type TakenOver } from "./types.ts";
import { UNSENT } from "./writing.ts";

/** Bytes of photos in one file: the cheapest phone has to hold it three times over while it is sealed. */
const MOST_PHOTO_BYTES = 16_000_000;

/** As many as a push may tell. */
const MOST_TAKEN = 100;

interface Content {
  communityId: string;
  installId: string;
  savedAt: string;
  rows: Pick<LogRow, "n" | "group" | "opId" | "kind" | "type" | "id" | "text" | "claimedAt" | "steps" | "bases">[];
  /** Absent in files of earlier versions. */
  photos?: { name: string; mime: string; bytes: string }[];
  departures?: Core["departures"];
}

/** What a file holds: everything up to `n`, and these photos; those too that nobody can open any more. */
export interface Held {
  installId: string;
  n: number;
  photos: ReadonlySet<string>;
}

const unsentRows = (ledger: Ledger): LogRow[] => [...ledger.log.values()].filter((row) => row.state !== "answered");

/** Photos that the server lacks, by name. */
export const waitingPhotos = ({ blobs }: Core): string[] => Object.keys(blobs).filter((name) => blobs[name]?.uploadedAt === null);

/** The file, and what it holds. */
export async function exportRescue(
  { ledger, store, passphrase, now, rounds, room = MOST_PHOTO_BYTES }: { ledger: Ledger; store: Pick<BlockStore, "read">; passphrase: string; now: number; rounds: number | undefined; room?: number | undefined },
): Promise<RescueFile & { held: Held }> {
  if (passphrase.length < 6) throw new EngineError("passphrase", { zh: "口令至少 6 个字符", en: "a passphrase has six characters or more" });
  const n = ledger.lastN();
  const rows = unsentRows(ledger).map(({ n, group, opId, kind, type, id, text, claimedAt, steps, bases }) => ({ n, group, opId, kind, type, id, text, claimedAt, steps, bases }));
  const { core } = ledger;
  const waiting = waitingPhotos(core);
  const fresh = waiting.filter((name) => !core.blobs[name]?.rescued);
  const photos: NonNullable<Content["photos"]> = [];
  const over = new Set<string>(); // held by a file, or by nothing any more
  let size = 0;
  for (const name of [...fresh, ...waiting.filter((one) => !fresh.includes(one))]) {
    const next = size + (core.blobs[name]?.size ?? 0);
    if (next > room && photos.length) break;
    const bytes = await openBlob(ledger, store, name).catch((error: unknown) => (error instanceof SealBroken ? null : undefined));
    if (bytes === undefined) continue; // not read this time: it leaves the others their way out
    over.add(name);
    if (bytes === null) continue; // damaged or gone: there is nothing that could be saved
    size = next;
    photos.push({ name, mime: core.blobs[name]?.mime ?? "", bytes: toText(bytes) });
  }
  const content: Content = { communityId: core.communityId, installId: core.installId, savedAt: new Date(now).toISOString(), rows, photos, departures: core.departures ?? null };
  const file = await sealFile(passphrase, content, rounds);
  return { file, photosLeft: fresh.filter((name) => !over.has(name)).length, photosBroken: over.size - photos.length, held: { installId: core.installId, n, photos: over } };
}

/** Takes the work of a file over, group by group, with new numbers; what is here already is left out. */
export async function importRescue(ledger: Ledger, file: Uint8Array, passphrase: string): Promise<TakenOver> {
  const content = await openFile<Content>(passphrase, file);
  if (!content) throw new EngineError("passphrase", { zh: "口令不对，或不是救援文件", en: "another passphrase, or no rescue file" });
  if (content.communityId !== ledger.core.communityId) {
    throw new EngineError("refused", { zh: "这是另一个社区的文件", en: "the file is of another community" });
  }
  const photos = await Promise.all(
    (content.photos ?? []).map(async ({ name, mime, bytes }) => {
      const plain = toBytes(bytes);
      return { name, mime, size: plain.length, sealed: await ledger.seal.seal(`b/${name}`, plain) };
    }),
  );
  return ledger.change("rescue: import", (change) => {
    const known = new Set([...ledger.log.values()].map((row) => row.opId));
    const fresh = content.rows.filter((row) => !known.has(row.opId));
    let n = change.lastN();
    let from: number | null = null;
    let group = 0;
    const numbers = new Map<number, number>();
    for (const row of fresh) {
      n += 1;
      if (row.group !== from) {
        from = row.group;
        group = n;
      }
      numbers.set(row.n, n);
      change.rows.set(n, { ...row, ...UNSENT, n, group });
    }
    if (fresh.length) {
      // written without what this phone has read meanwhile: late, like all that it has not sent (S18, S30)
      const told = change.core.departures;
      const open = [...change.allRows()].find((row) => row.state !== "answered")?.n ?? n;
      const taken = joined([...(told?.taken ?? []).filter((one) => one.last_n >= open), ...spans(content.departures, numbers)]);
      change.patchCore({ scopeLastN: n, departures: told || taken.length ? { seen: told?.seen ?? "", last_n: n, ...(taken.length ? { taken } : {}) } : null });
    }
    const blobs = { ...change.core.blobs };
    const taken = photos.filter(({ name }) => !blobs[name]);
    for (const { name, mime, size, sealed } of taken) {
      change.blobs.set(`b/${name}`, sealed);
      blobs[name] = { mime, size, upload: null, uploadedAt: null };
    }
    if (taken.length) change.patchCore({ blobs });
    return { operations: fresh.length, skipped: content.rows.length - fresh.length, photos: taken.length };
  });
}

/** What the other phone had read, by the numbers that its operations have here: they stay in order. First all of them, knowing nothing. */
function spans(known: Core["departures"], numbers: ReadonlyMap<number, number>): TakenSpan[] {
  const read = known ? [...(known.taken ?? []), { seen: known.seen, after: known.last_n, last_n: Infinity }].filter(({ seen }) => seen) : [];
  const all = [{ seen: "", after: 0, last_n: Infinity }, ...read];
  return all.flatMap(({ seen, after, last_n }) => {
    const here = [...numbers].filter(([was]) => after < was && was <= last_n).map(([, n]) => n);
    return here.length ? [{ seen, after: here[0]! - 1, last_n: here.at(-1)! }] : [];
  });
}

/**
 * The same in as few spans as a push may tell, first the one that says what was taken over at all: without it work would count as knowing
 * what this phone has read, and be set apart. What had been read by the same text is one span where no operation lies between. Beyond the
 * limit the oldest goes of what had been read: those operations are late, like all of which nothing is known.
 */
export function joined(spans: readonly TakenSpan[]): TakenSpan[] {
  const nothing: TakenSpan[] = [];
  const read: TakenSpan[] = [];
  for (const one of spans) {
    const among = one.seen ? read : nothing;
    const at = among.findIndex((other) => other.seen === one.seen && (!one.seen || (one.after <= other.last_n && other.after <= one.last_n)));
    const other = among[at];
    if (other) among[at] = { ...other, after: Math.min(other.after, one.after), last_n: Math.max(other.last_n, one.last_n) };
    else among.push({ ...one });
  }
  return [...nothing, ...read.slice(-(MOST_TAKEN - nothing.length))];
}

/** The person has the file: what it holds may leave this phone. */
export function noteRescued(change: Change, { installId, n, photos }: Held): void {
  if (installId !== change.core.installId) return; // it goes on under another registration, with other numbers
  const blobs = Object.fromEntries(Object.entries(change.core.blobs).map(([name, blob]) => [name, photos.has(name) ? { ...blob, rescued: true as const } : blob]));
  change.patchCore({ rescuedN: Math.max(change.core.rescuedN, n), blobs });
}

/** Whether saved rescue files hold everything that the server has not got: operations, and photos. */
export function isRescued(ledger: Ledger): boolean {
  const { core } = ledger;
  return unsentRows(ledger).every((row) => row.n <= core.rescuedN) && waitingPhotos(core).every((name) => core.blobs[name]?.rescued);
}
