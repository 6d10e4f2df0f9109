// What still lies on a phone whose PIN nobody gives: how much, and the way out for it. Operations lie in envelopes that only the
// server opens, so they can leave as a file too, which any phone of the house hands over; photos are behind the PIN.

import { erasedText } from "./erasing.ts";
import type { BlockStore, Transport } from "./parts-types.ts";
import { behindPin, envelopes, sendSealed, sizeOf, type SealedReport } from "./sealed-outbox.ts";
import { EngineError } from "./types.ts";

const FORMAT = "dishu-sealed-1";
type Shelf = Pick<BlockStore, "read" | "readAll">;

/** What waits on a locked phone. */
export interface Waiting {
  /** Operations in envelopes; they stay there after they were handed over, until the PIN was given. */
  operations: number;
  photos: number;
  /** Begun and not saved. */
  drafts: number;
  /** False where this phone never learned how to seal to the server: nobody can say what lies behind the PIN. */
  isTold: boolean;
}

export async function waitingOn(store: Shelf): Promise<Waiting> {
  const { sending, kept } = await envelopes(store);
  return { operations: sizeOf(kept), photos: sending?.photos ?? 0, drafts: sending?.drafts ?? 0, isTold: sending !== null };
}

/**
 * Whether nothing is left behind a PIN that nobody gives: no envelope beyond `handedN`, up to which the server or a saved file has
 * them, and no photo and nothing begun that was not given up. Where there is no envelope nothing was unsent, and the server need not be reached.
 */
export async function isAway(store: Shelf, handedN: number, without: { photos: boolean; drafts: boolean }): Promise<boolean> {
  const { sending, kept } = await envelopes(store);
  return sending !== null && kept.every((one) => one.last_n <= handedN) && behindPin({ photos: without.photos ? 0 : sending.photos, drafts: without.drafts ? 0 : (sending.drafts ?? 0) }) === 0;
}

/**
 * Erases a phone that is out of use, from beside the app: a lost one at once, any other if nothing has been written, begun or photographed
 * since `report` was made. An open page that did so keeps its storage and goes on. Whether it was erased.
 */
export async function eraseEmptied(store: BlockStore, { erase, lastN }: Pick<SealedReport, "erase" | "lastN">): Promise<boolean> {
  if (erase === null) return false;
  const isEmpty = async (): Promise<boolean> => {
    const { sending, kept } = await envelopes(store);
    return erase === "lost" || (sending !== null && behindPin(sending) === 0 && kept.every((one) => one.last_n <= lastN));
  };
  if (!(await isEmpty())) return false;
  await store.open(); // from here on an open page writes nothing more
  if (!(await isEmpty())) return false;
  await store.destroy(erasedText(erase));
  return true;
}

/** The envelopes as a file. It opens nothing: what is in it only the server reads, and its token only hands them over. */
export async function sealedFile(store: Shelf): Promise<Uint8Array> {
  return new TextEncoder().encode(JSON.stringify({ format: FORMAT, ...(await envelopes(store)) }));
}

/** Hands the envelopes of such a file over, for the phone that it came from; null where it is no such file. Throws EngineError. */
export async function sendSealedFile(file: Uint8Array, transport: Transport, now: number): Promise<SealedReport | null> {
  let content: Partial<{ format: string; sending: unknown; kept: { first_n: number }[] }>;
  try {
    content = JSON.parse(new TextDecoder().decode(file)) as typeof content;
  } catch {
    return null;
  }
  const { format, sending, kept } = content;
  if (format !== FORMAT) return null;
  if (!sending || !Array.isArray(kept)) throw new EngineError("passphrase", { zh: "文件不完整，请再存一次", en: "the file is not whole: save it again" });
  const block = (one: unknown): Uint8Array<ArrayBuffer> => new TextEncoder().encode(JSON.stringify(one)) as Uint8Array<ArrayBuffer>;
  const shelf: Shelf = { read: async () => block(sending), readAll: async () => kept.map((one) => [`s/${one.first_n}`, block(one)]) };
  return sendSealed(shelf, transport, now);
}
