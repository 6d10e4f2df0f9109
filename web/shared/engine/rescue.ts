// Unsent work in a file: sealed with a passphrase, taken over by another install. Operations keep their op_ids and bytes,
// so that one which did arrive under the first install is recognised and not applied twice (L6, S21).

import type { LogRow } from "./kept-types.ts";
import type { Ledger } from "./ledger.ts";
import { openFile, sealFile } from "./sealing.ts";
import { EngineError } from "./types.ts";
import { UNSENT } from "./writing.ts";

interface RescueFile {
  communityId: string;
  installId: string;
  savedAt: string;
  rows: Pick<LogRow, "n" | "group" | "opId" | "kind" | "type" | "id" | "text" | "claimedAt" | "steps" | "bases">[];
}

const unsentRows = (ledger: Ledger): LogRow[] => [...ledger.log.values()].filter((row) => row.state !== "answered");

/** The file's bytes. Photos are not in it. */
export function exportRescue(ledger: Ledger, passphrase: string, now: number, rounds?: number): Promise<Uint8Array> {
  if (passphrase.length < 6) throw new EngineError("passphrase", { zh: "口令至少 6 个字符", en: "a passphrase has six characters or more" });
  const rows = unsentRows(ledger).map(({ n, group, opId, kind, type, id, text, claimedAt, steps, bases }) => ({ n, group, opId, kind, type, id, text, claimedAt, steps, bases }));
  const content: RescueFile = { communityId: ledger.core.communityId, installId: ledger.core.installId, savedAt: new Date(now).toISOString(), rows };
  return sealFile(passphrase, content, rounds);
}

/** Takes the work of a file over, group by group, with new numbers; what is here already is left out. */
export async function importRescue(ledger: Ledger, file: Uint8Array, passphrase: string): Promise<{ operations: number; skipped: number }> {
  const content = await openFile<RescueFile>(passphrase, file);
  if (!content) throw new EngineError("passphrase", { zh: "口令不对，或不是救援文件", en: "another passphrase, or no rescue file" });
  if (content.communityId !== ledger.core.communityId) {
    throw new EngineError("refused", { zh: "这是另一个社区的文件", en: "the file is of another community" });
  }
  return ledger.change("rescue: import", (change) => {
    const known = new Set([...ledger.log.values()].map((row) => row.opId));
    const fresh = content.rows.filter((row) => !known.has(row.opId));
    let n = change.lastN();
    let from: number | null = null;
    let group = 0;
    for (const row of fresh) {
      n += 1;
      if (row.group !== from) {
        from = row.group;
        group = n;
      }
      change.rows.set(n, { ...row, ...UNSENT, n, group });
    }
    return { operations: fresh.length, skipped: content.rows.length - fresh.length };
  });
}

/** Whether a saved rescue file holds everything that the server has not answered. */
export function isRescued(ledger: Ledger): boolean {
  return unsentRows(ledger).every((row) => row.n <= ledger.core.rescuedN);
}
