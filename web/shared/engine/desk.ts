// What a group that is being written looks at: the views as they stand, with the group's own operations over them.

import type { FormRegistry } from "../forms/form.ts";
import type { Core, LogRow } from "./kept-types.ts";
import type { Change } from "./ledger.ts";
import type { Lookup } from "./lookup.ts";
import type { Enrolled } from "./enrolling.ts";
import type { RecordView } from "./types.ts";
import { viewOf } from "./view.ts";
import type { Desk } from "./writing.ts";

export function deskFor(change: Change, lookup: Lookup, registry: FormRegistry, newId: () => string, now: Date): Desk {
  const staged: LogRow[] = [];
  const unfinished = (id: string): LogRow[] => [...lookup.unfinished(id), ...staged.filter((row) => row.steps.some((step) => step.id === id))];
  const read = (id: string): RecordView | null => viewOf(id, change.entry(id)?.copy ?? null, unfinished(id), registry);
  return {
    registry,
    read,
    unfinished,
    membersOf: (household) => {
      const ids = new Set(lookup.referring("person", "residence_household", household));
      for (const row of staged) for (const step of row.steps) if (step.type === "person") ids.add(step.id);
      const views = [...ids].sort().flatMap((id) => read(id) ?? []);
      return views.filter((view) => view.life === "live" && view.fields["residence_household"] === household);
    },
    keep: (row) => {
      staged.push(row);
      change.rows.set(row.n, row);
    },
    lastN: () => change.lastN(),
    newId,
    now,
  };
}

/** The core of an install that has just been made; `now`: the device's time when the answer came. */
export function freshCore({ identity, token, user, sendToken, serverKey, servedAt }: Enrolled, now: number): Core {
  const { communityId, installId, label } = identity;
  return {
    communityId, installId, token, sendToken, serverKey, user, label, epoch: null, cursor: null, scopeVersion: 0, scopeLastN: 0, departures: null, limits: null, configAt: 0, configBy: "",
    safeN: 0, skewS: servedAt === null ? null : (now - servedAt) / 1000, receipt: null, serverTime: null, prunedN: 0, prunedOpId: null, completed: 0, needsFork: null, forkId: null, disputes: {}, streams: {}, witnesses: [],
    overwritten: [], dismissed: [], lastSyncAt: null, rescuedN: 0, scopeNews: null, blobs: {},
  };
}
