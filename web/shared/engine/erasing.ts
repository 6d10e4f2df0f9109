// A phone that was revoked (docs/protocol.md, section 12): a lost one erases itself at once, PIN or not; any other once
// everything that it had has arrived, and nothing that was begun waits to be finished or given up.

import { problemOf } from "./calls.ts";
import { unfinished } from "./drafts.ts";
import type { Ledger } from "./ledger.ts";
import type { Problem } from "./types.ts";
import { leavingDrafts, problem } from "./words.ts";

const HANDS_OVER: ReadonlySet<string> = new Set(["retired", "replaced", "closed"]);
/** All that stays behind, in the clear: why. */
interface Erased {
  format: 1;
  erased: string;
}

export const erasedText = (reason: string): string => JSON.stringify({ format: 1, erased: reason } satisfies Erased);

/** Why this phone erased itself, null where it did not. */
export function erasedIn(about: string | null): string | null {
  const read = about === null ? null : (JSON.parse(about) as Partial<Erased>);
  return read?.erased ?? null;
}

export const erasedProblem = (reason: string): Problem => problem(reason === "lost" ? "erased_lost" : "erased_left", { details: { reason } });

/** What a refusal of this reason means; a reason that this program does not know erases nothing. */
export function revokedProblem(details: { slug: string; status: number; reason: string | null }): Problem {
  if (details.reason === "lost") return problem("erased_lost", { details });
  return problem(HANDS_OVER.has(details.reason ?? "") ? "leaving" : "revoked", { details });
}

/** The reason to erase now that a lost phone was given, null for every other problem. */
export const lostBy = (met: Problem | null): string | null => (met?.code === "erased_lost" ? "lost" : null);
const leavingBy = (met: Problem | null): string | null => (met?.code === "leaving" ? String(met.details?.["reason"]) : null);

/**
 * After a synchronisation that was refused: what is still to be handed over goes, then the reason to erase, null to stay.
 * `met` is what stopped it, and what the person is shown meanwhile.
 */
export async function handOver(met: Problem | null, ledger: Ledger, send: () => Promise<unknown>): Promise<{ erase: string | null; problem: Problem | null }> {
  const reason = leavingBy(met);
  if (reason === null) return { erase: lostBy(met), problem: met };
  try {
    await send();
  } catch (error) {
    const stopped = problemOf(error);
    if (lostBy(stopped)) return { erase: "lost", problem: stopped };
    // what another phone has sent under this registration stands in the way: only a file helps
    return { erase: null, problem: stopped.code === "fork_needed" ? problem("revoked") : stopped.severity === "wait" ? met : stopped };
  }
  let erase: string | null = null;
  let begun = 0;
  /** Atomic: what is written while this is looked at keeps the phone as it is. */
  const closing = ledger.change("leaving", ({ core }) => {
    const isEmpty = [...ledger.log.values()].every((row) => row.state === "answered") && Object.values(core.blobs).every((one) => one.uploadedAt !== null);
    if (!isEmpty) return;
    begun = unfinished(ledger.drafts.values()).length;
    if (begun) return; // somebody is typing, or was
    ledger.abandon();
    erase = reason;
  });
  await closing.catch((error: unknown) => {
    if (erase === null) throw error;
  });
  return { erase, problem: begun ? leavingDrafts(reason, begun) : met };
}
