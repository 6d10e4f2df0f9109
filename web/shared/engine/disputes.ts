// The open conflicts of the held records with the values that stand side by side: asked for behind a complete pull, so that
// they can be settled at the door without a signal. The twin of sync/device/asking.py.

import { call, PROTOCOL, wanted, type Line } from "./calls.ts";
import type { Dispute, Fields } from "./types.ts";

const MOST_RECORDS = 500;

const key = (id: string, unit: string): string => `${id}/${unit}`;

/** Fetches the conflicts of records that changed since they were fetched, drops those that are over. Throws Stopped. */
export async function askDisputes(line: Line): Promise<void> {
  const { ledger } = line;
  const open = new Map<string, { v: number; units: readonly string[] }>();
  for (const { id, copy } of ledger.entries.values()) if (copy?.conflicts.length) open.set(id, { v: copy.v, units: copy.conflicts });
  const known = ledger.core.disputes;
  const stale = Object.values(known).filter((one) => !open.get(one.id)?.units.includes(one.unit));
  if (stale.length) {
    await ledger.change("disputes: over", (change) => {
      const disputes = { ...change.core.disputes };
      for (const one of stale) delete disputes[key(one.id, one.unit)];
      change.patchCore({ disputes });
    });
  }
  const ids = [...open].flatMap(([id, { v, units }]) => (units.some((unit) => known[key(id, unit)]?.v !== v) ? [id] : [])).sort();
  for (let first = 0; first < ids.length; first += MOST_RECORDS) {
    const records = ids.slice(first, first + MOST_RECORDS);
    const { body } = await call(line, "disputes", "POST", "/api/v1/sync/disputes", { protocol: PROTOCOL, install_id: ledger.core.installId, records });
    const said = wanted(body, "disputes", "array");
    await ledger.change("disputes", (change) => {
      const disputes = { ...change.core.disputes };
      for (const one of Object.values(disputes)) if (records.includes(one.id)) delete disputes[key(one.id, one.unit)];
      for (const one of said) {
        const dispute: Dispute = {
          id: wanted(one, "id", "string"),
          unit: wanted(one, "unit", "string"),
          v: wanted(one, "v", "number"),
          policy: String(one["policy"] ?? ""),
          delegatedTo: (one["delegated_to"] as string | null | undefined) ?? null,
          base: (one["base"] as Fields | undefined) ?? {},
          siblings: one["siblings"] as Dispute["siblings"],
        };
        disputes[key(dispute.id, dispute.unit)] = dispute;
      }
      change.patchCore({ disputes });
    });
  }
}
