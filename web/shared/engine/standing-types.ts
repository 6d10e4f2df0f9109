// What became of the own work.

import type { Fields, Labels } from "./types.ts";

/** One own operation and what became of it. */
export interface Standing {
  n: number;
  groupN: number;
  opId: string;
  kind: string;
  /** Which command; null of every other kind. */
  act: string | null;
  type: string;
  id: string;
  /** The other community that was asked to take the record, and who has it now: this phone, the own secretary, that community. */
  crossingTo: string | null;
  crossingAt: "phone" | "here" | "there" | null;
  claimedAt: string;
  state: "unsent" | "sent" | "answered";
  /** Final, and contained in the copies. */
  settled: boolean;
  /** applied, merged, unchanged, conflict, held, quarantined, erased, or what a newer server says; null: no answer yet. */
  outcome: string | null;
  reason: string | null;
  errors: readonly { pointer: string; code: string; message: string }[];
  says: Labels;
}

/** Something that became of the person's own value, or that is asked of them. Read until `dismiss`ed. `id` is stable. */
export interface Notice {
  id: string;
  /** `asked`: the office asked this person to see to something at the door. Of a conflict that is open see `dispute`. */
  kind: "conflict" | "asked" | "overwritten" | "held" | "quarantined" | "declined" | "erased" | "released";
  opId: string;
  recordId: string;
  type: string;
  /** What was in dispute, where it is one unit. */
  unit: string | null;
  /** Fields of the unit as this person wrote them, and as they stand now. */
  mine: Fields;
  now: Fields;
  says: Labels;
  /** What a held entry waits for: the first of the own entries in its way, or the record that has not arrived. */
  waitsFor?: { recordId: string; says: Labels } | null;
  needsMe: boolean;
  /** What is asked of this person. */
  asked?: AskedItem;
}

/** Something of the office's inbox that was handed on to this person. */
export interface AskedItem {
  /** What it is called when something is told about it. */
  item: string;
  /** conflict, finding, held, quarantined. */
  kind: string;
  askedAt: string | null;
  /** The record that it is about; null where there is none. */
  id: string | null;
  type: string;
  /** Units, or fields, that are in doubt. */
  units: readonly string[];
  /** Kind of the finding, of the conflict, or of the operation that waits. */
  finding: string | null;
  name: string | null;
  /** Why it is in doubt, in the form's own words. */
  message: Labels | null;
  /** Why an operation waits. */
  reason: string | null;
  errors: readonly { pointer: string; code: string; message: string }[];
  /** Who wrote what waits, and when they say so. */
  by: string | null;
  claimedAt: string | null;
}

/** An open conflict with the values that stand side by side: to be settled at the door by a `resolve` draft. */
export interface Dispute {
  id: string;
  unit: string;
  /** Version of the record that it was shown in. */
  v: number;
  policy: string;
  /** The user who was asked at the office to settle it. */
  delegatedTo: string | null;
  base: Fields;
  siblings: readonly {
    op_id: string;
    role: string;
    by: string | null;
    claimed_at: string | null;
    arrived_at: string | null;
    set: Fields;
  }[];
}

/** The outbox in one look. */
export interface Outbox {
  /** Operations that the server has not answered. */
  unsent: number;
  /** Records that they are about. */
  records: number;
  oldestClaimedAt: string | null;
  lastSyncAt: string | null;
  /** Answered, and waiting on the server: for another record, or for somebody to check. */
  waiting: number;
  /** Photos that were not uploaded. */
  photos: number;
}
