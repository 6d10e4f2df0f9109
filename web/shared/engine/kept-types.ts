// What the engine keeps: who it is, its log of operations, copies of the server's records with the rows of the streams.

import type { Reference } from "./reference-types.ts";
import type { RowHash } from "./digest.ts";
import type { AskedItem, Confirmation, Dispute, Fields, Value, Version } from "./types.ts";

/** A copy of a record at the highest version that any held stream brought. `type` null: every field is hidden (S23). */
export interface Copy {
  type: string | null;
  epoch: string;
  v: number;
  tag: string;
  life: string;
  formVersion: number;
  home: string | null;
  fields: Fields;
  conflicts: string[];
  confirmed: Record<string, Confirmation>;
}

/** One row of a stream. REMOVE rows wait here until a pull is complete. `v` of a STATUS row is the status number. */
export interface FeedRow {
  stream: string;
  seq: number;
  kind: "PUT" | "REMOVE" | "STATUS";
  reason: string | null;
  v: number;
  tag: string | null;
  generation: number;
  /** Counted once; never stored. */
  hash?: RowHash;
}

/** A record (or, under an op_id, a status) with the rows that streams have about it. Never changed in place. */
export interface Entry {
  id: string;
  copy: Copy | null;
  rows: readonly FeedRow[];
}

/** What a command or a plain operation does to one record, as it is laid over the copy. */
export interface Step {
  id: string;
  type: string;
  kind: "create" | "patch" | "confirm" | "delete" | "restore" | "resolve" | "end";
  set: Fields;
  was: Fields;
  units?: readonly string[];
}

/** One own operation. `text` is frozen; nothing else of an operation is ever sent. Never changed in place. */
export interface LogRow {
  n: number;
  group: number;
  opId: string;
  kind: string;
  type: string;
  id: string;
  text: string;
  claimedAt: string;
  /** What it does to each record that it touches. */
  steps: readonly Step[];
  /** Its base for each record that it touches; a later write of the same unit keeps it. */
  bases: Readonly<Record<string, Version | null>>;
  state: "unsent" | "sent" | "answered";
  acknowledged: boolean;
  acknowledgedAt: number | null;
  settled: boolean;
  first: string | null;
  now: string | null;
  reason: string | null;
  firstReason: string | null;
  status: number;
  errors: readonly { pointer: string; code: string; message: string }[];
  epoch: string | null;
  v: number | null;
}

/** A stream that this phone follows. */
export interface StreamState {
  generation: number;
  building: boolean;
  doubted: boolean;
}

export interface Limits {
  max_ops: number;
  max_bytes: number;
  max_op_bytes: number;
  page_rows: number;
}

/** A copy from an earlier life of the database, to be offered once (S25). */
export interface Witness {
  epoch: string;
  record: Value;
}

/** A value of this person that somebody else wrote over. */
export interface Overwritten {
  opId: string;
  id: string;
  type: string;
  unit: string;
  mine: Fields;
}

/** A photo on this phone: its upload once begun, and when (server's clock) all of it had arrived. */
export interface KeptBlob {
  mime: string;
  size: number;
  upload: string | null;
  uploadedAt: number | null;
  /** Why the last try to upload it came to nothing; empty where the next one may do. */
  stays?: string;
  /** A saved rescue file holds it. */
  rescued?: true;
}

/** Everything small; one block. Never changed in place. */
/** What another phone had read of those who have left, when it wrote the operations that are `after` < n <= `last_n` here: they were taken over (S30). */
export interface TakenSpan {
  seen: string;
  after: number;
  last_n: number;
}

export interface Core {
  communityId: string;
  installId: string;
  token: string;
  /** Hands envelopes over and opens nothing; with the server's key for sealing them. null: not told yet. */
  sendToken?: string | null;
  serverKey?: string | null;
  user: { user_id: string; name: string; role: string };
  label: string;
  epoch: string | null;
  cursor: string | null;
  scopeVersion: number;
  scopeLastN: number;
  /** What the last complete page said of those who have left the community, and the last n before it was here (S30). */
  departures?: { seen: string; last_n: number; taken?: readonly TakenSpan[] } | null;
  limits: Limits | null;
  configAt: number;
  configBy: string;
  safeN: number;
  skewS: number | null;
  receipt: string | null;
  serverTime: number | null;
  prunedN: number;
  prunedOpId: string | null;
  completed: number;
  needsFork: { n: number; op_id: string | null } | null;
  /** Of the install that this phone is about to become. */
  forkId: string | null;
  /** `record id/unit` → the open conflict as the server showed it. */
  disputes: Readonly<Record<string, Dispute>>;
  /** What the last complete page told of what the office asks, and what was fetched under which mark; missing: never told. */
  askedMark?: string | null;
  asked?: { mark: string | null; items: readonly AskedItem[] };
  streams: Readonly<Record<string, StreamState>>;
  witnesses: readonly Witness[];
  overwritten: readonly Overwritten[];
  /** Operations that are forgotten, and of which something is still to be told. */
  news?: readonly LogRow[];
  dismissed: readonly string[];
  lastSyncAt: string | null;
  /** The last n that a saved rescue file holds. */
  rescuedN: number;
  /** Streams that came or went, told until the person has seen it. */
  scopeNews: { added: string[]; dropped: string[] } | null;
  blobs: Readonly<Record<string, KeptBlob>>;
}

/** Reference data and its tag. */
export interface KeptReference {
  etag: string | null;
  content: Reference;
}
