// What a screen calls. The engine keeps the log of operations and the copies of the server's records on this device;
// everything that is read here is read from memory, everything that is written is durable before it is shown.
// Member names on the wire (`op_id`, `claimed_at` …) stay as docs/protocol.md writes them; names of the engine are camelCase.

export * from "./errors.ts";
export * from "./problem-types.ts";
export * from "./standing-types.ts";
import type { Form } from "../forms/form.ts";
import type { Suspect } from "./duplicates.ts";
import type { Answer } from "./parts-types.ts";
import type { KeptDraft } from "./drafts.ts";
import type { Problem } from "./problem-types.ts";
import type { AskedItem, Dispute, Notice, Outbox, Standing } from "./standing-types.ts";
import type { Reference } from "./reference-types.ts";
import type { SealedReport } from "./sealed-outbox.ts";
import type { SearchHit, SearchOptions } from "./search-types.ts";
import type { Waiting } from "./waiting.ts";

/** A JSON value: what a field holds. An absent field and null are the same nothing. */
export type Value = null | boolean | number | string | readonly Value[] | { readonly [key: string]: Value };
/** Fields of a record by name; empty ones are absent. */
export type Fields = Record<string, Value>;
/** A text in both languages. */
export interface Labels {
  zh: string;
  en: string;
}
/** Version of a record as the server counts it. */
export interface Version {
  v: number;
  tag: string;
}

// ---------------------------------------------------------------- where the engine stands

/**
 * - `unenrolled`: nobody's phone yet: ask for a code and a new PIN, then `enrol`.
 * - `locked`: enrolled, the PIN is asked for: `unlock`.
 * - `ready`: everything works, with or without a network.
 * - `elsewhere`: another tab or window has the engine; `takeOver` brings it here.
 * - `insecure`: the page was not opened by HTTPS (or localhost), so nothing can be sealed: nothing is kept.
 */
export type EngineState = "unenrolled" | "locked" | "ready" | "elsewhere" | "insecure";

/** Who this phone is. */
export interface Identity {
  communityId: string;
  installId: string;
  userId: string;
  userName: string;
  role: string;
  /** The label that was given at enrolment. */
  label: string;
}

/** What came of a PIN. */
export interface UnlockResult {
  ok: boolean;
  /** The PIN was compared: false while a wait runs. */
  looked: boolean;
  /** Wrong tries that are left before the PIN is locked for good. */
  triesLeft: number;
  /** Seconds until the next try is looked at; 0: now. */
  waitS: number;
  /** No try is taken any more: only `signOut` and a new enrolment help. */
  lockedOut: boolean;
}

// ---------------------------------------------------------------- reading

/** A record as the person sees it: the server's copy with the own unfinished operations over it. */
export interface RecordView {
  id: string;
  type: string;
  /** `merged`: it leads to another record now. Deleted ones are shown by `read` only. */
  life: "live" | "deleted" | "merged" | "erased";
  fields: Fields;
  /** Version of the server's copy; null where the server has none yet. */
  version: Version | null;
  /** Home stream: `cell/<cell id>`, `~unplaced`, null before the server has placed it. */
  home: string | null;
  /** Units in dispute (两人填的不一样), as the server's copy says. */
  conflicts: readonly string[];
  /** Unit → when it was last written or confirmed. Units written by the creation only may be absent. */
  confirmed: Readonly<Record<string, Confirmation>>;
  /** Fields whose shown value is the own one, not yet contained in the server's copy. */
  pendingFields: readonly string[];
  /** Own operations that are not contained in the copy yet, oldest first. */
  pendingOps: readonly string[];
  formVersion: number;
}

/** When a unit was last seen or written: the device's claim, and the server's arrival. */
export interface Confirmation {
  op_id: string;
  claimed_at: string | null;
  arrived_at: string | null;
}

/** What stood on the screen when somebody began to type: a view, or the part of it that says so. */
export type Seen = Pick<RecordView, "version" | "fields">;

/** Filter of `list`: field equals value, or contains it where the field is a list. Ref fields are indexed, others scanned. */
export type Where = Readonly<Record<string, Value>>;

// ---------------------------------------------------------------- writing

/** One thing that a person did. Drafts of one `write` apply together or not at all, here and on the server. */
export type Draft =
  | { kind: "create"; type: string; /** Make it with `newId()` where a later draft refers to it. */ id?: string; set: Fields; fix?: Value }
  /** `set`: only what was changed; null clears. A union field takes the whole set or `{add, remove}`, an add field a delta.
   * `seen`: what the form showed, where that may be older than what the phone has by now; left out: what the phone has. */
  | { kind: "patch"; id: string; set: Fields; seen?: Seen | null; fix?: Value }
  /** Seen and unchanged; without `units` every unit that has a value. */
  | { kind: "confirm"; id: string; units?: readonly string[]; fix?: Value }
  | { kind: "delete"; id: string }
  | { kind: "restore"; id: string }
  | { kind: "resolve"; id: string; unit: string; siblings: readonly string[]; set: Fields; seen?: Seen | null }
  /**
   * A command of docs/protocol.md: move_household, split_household, join_households, change_head, person_left,
   * person_died, correct_place … `id` is the principal record; bases and values seen of the others are added here;
   * `shown` may name records that were on the screen.
   */
  | { kind: "command"; name: string; id: string; arguments: Record<string, Value>; shown?: readonly string[] };

/** What a person gives up in so many words. */
export interface Abandoned {
  abandonUnsent?: boolean;
  abandonPhotos?: boolean;
  abandonDrafts?: boolean;
}

/** What `write` wrote. */
export interface Written {
  /** One per operation; none where nothing differs from what is shown. */
  opIds: string[];
  /** The record of each draft, in order. */
  ids: string[];
  /** n of the group's first operation; null where nothing was written. */
  groupN: number | null;
}

/** One thing that is wrong with what was typed; never holds the value. */
export interface FieldError {
  /** `/set/<field>…`, or `/arguments/<name>…` of a command. */
  pointer: string;
  code: string;
  zh: string;
  en: string;
  /** Position of the draft in the group. */
  draft: number;
}

// ---------------------------------------------------------------- agreeing with the server

/** How far a synchronisation is. `total` is null where the server has not said how much there is. */
export interface SyncProgress {
  phase: "push" | "pull" | "reference" | "done";
  /** Operations answered so far (push) or rows kept so far (pull). */
  done: number;
  total: number | null;
  /** Bytes received and sent so far, as they travelled where that is known. */
  bytesDown: number;
  bytesUp: number;
}

/** What a synchronisation did. It never throws: what stopped it is in `problem`, and everything is still there. */
export interface SyncReport {
  /** Complete: everything was sent, the copies are those of the server, the digests agree. */
  complete: boolean;
  /** Own operations that the server answered in this run. */
  sent: number;
  unsentLeft: number;
  /** Rows that were received; records that appeared, changed or left. */
  received: number;
  /** Records, stream by stream, whose count and digest were compared with the server's in the end, and are the same. */
  agreed: number;
  /** How often each outcome was answered. */
  outcomes: Record<string, number>;
  /** Streams (cells) that this phone follows since now, or does not follow any more. */
  added: string[];
  dropped: string[];
  /** Own operations that a restored server had lost and that were sent again. */
  reopened: number;
  referenceChanged: boolean;
  bytesUp: number;
  bytesDown: number;
  seconds: number;
  problem: Problem | null;
  /** This phone was taken out of use, has handed over everything (or was lost), and has erased itself: why. */
  erase: string | null;
}

/** A rescue file. */
export interface RescueFile {
  file: Uint8Array;
  /** Photos that are not uploaded, are in no saved file, and had no room in this one: the next one takes them. */
  photosLeft: number;
  /** Photos that do not open any more: in no file, and nothing waits for them. */
  photosBroken: number;
}
/** What was taken over from one. */
export interface TakenOver {
  operations: number;
  /** Operations that were here already. */
  skipped: number;
  photos: number;
}

// ---------------------------------------------------------------- places

/** What the phone can say about a position by itself; the server decides in the end. */
export interface PlaceGuess {
  cellId: string | null;
  decision: "inside" | "tie_rule" | "outside";
  /** Other cells that the 95 % circle touches, most probable first; empty where there is no choice. */
  candidates: readonly { cellId: string; probability: number }[];
  nearest: { cellId: string; metres: number } | null;
}

// ---------------------------------------------------------------- the engine

export type EngineEvent =
  | { name: "state"; state: EngineState }
  /** Records whose view changed (own write or pull); `ids` null: too many to name, look again at everything. */
  | { name: "records"; ids: ReadonlySet<string> | null }
  | { name: "outbox" }
  | { name: "notices" }
  | { name: "reference" }
  | { name: "glance" } // the PIN is right: `glance`, `identity`, `outbox`, `reference` answer while the records are being opened
  | { name: "problems" }
  | { name: "progress"; progress: SyncProgress };

/** The client engine of one device. Reading is synchronous and from memory; in states other than `ready` it is empty. */
export interface Engine {
  // ---- where it stands
  state(): EngineState;
  identity(): Identity | null;
  problems(): readonly Problem[];
  /** The device's forms, for those who draw screens from definitions; null for a type that was not delivered. */
  form(type: string): Form | null;
  /** Returns the function that ends the subscription. */
  on(listener: (event: EngineEvent) => void): () => void;

  // ---- beginning, locking, leaving
  /** Become an install with a one-time code; the PIN seals everything from the first byte. Throws EngineError. */
  enrol(options: { code: string; label: string; pin: string; appVersion?: string }): Promise<Identity>;
  unlock(pin: string): Promise<UnlockResult>;
  /** How it stands with trying PINs; null where there is none. */
  tries(): UnlockResult | null;
  /** What `keepGlance` kept, while the records are being opened and nothing has changed since; null at all other times. */
  glance(): unknown;
  keepGlance(kept: unknown): Promise<boolean>;
  /** Forget the key in memory; the PIN is asked for again. What was written is durable. */
  lock(): void;
  changePin(oldPin: string, newPin: string): Promise<UnlockResult>;
  takeOver(): Promise<EngineState>;
  /**
   * Delete everything on this phone. Refused with EngineError `unsent` while operations or photos are unsent, unless a rescue file
   * with all of them was saved (`markRescueSaved`). While locked it is open where there is no envelope, once `sendSealed` has handed over every one, or their
   * file was saved (`markSealedSaved`); photos, which nobody gets at without the PIN, are given up with `abandonPhotos` only, and
   * with `abandonUnsent` everything that was written. What was begun and not saved is given up with `abandonDrafts`: EngineError `drafts`.
   */
  signOut(options?: Abandoned): Promise<void>;
  close(): void;

  // ---- reading
  read(id: string): RecordView | null;
  /** Live records of a type, sorted by id; see `Where`. */
  list(type: string, where?: Where): RecordView[];
  /** How many `list` would give. */
  count(type: string, where?: Where): number;
  /** Persons whose residence is this household, the head first. */
  members(householdId: string): RecordView[];
  /** Households of a dwelling; dwellings of an entrance or building (also through its entrances); entrances of a building. */
  households(dwellingId: string): RecordView[];
  dwellings(placeId: string): RecordView[];
  entrances(buildingId: string): RecordView[];
  buildings(estateId?: string): RecordView[];
  /** `1 幢 2 单元 301` as far as known, for a dwelling, household, person, entrance or building. */
  address(id: string): string;
  /** By name, pinyin (full, initials, mixed), phone tail, document tail, address, household number; best first. */
  search(text: string, options?: SearchOptions): SearchHit[];
  /** Persons on this phone who may be the one being entered, most likely first. */
  duplicates(fields: Fields, exceptId?: string): Suspect[];
  duplicatesBehind(fields: Fields, exceptId: string | undefined, isWanted: () => boolean): Promise<Suspect[] | null>; // in slices; null: not wanted any more
  reference(): Reference | null;

  // ---- writing
  newId(): string;
  /** Judge a draft's fields without writing; empty: nothing is wrong. */
  check(type: string, fields: Fields, creating: boolean): FieldError[];
  /** Durable when it resolves, and shown at once. Throws EngineError `invalid` with `errors`, `unknown_record`, `storage_full` … */
  /** `place`: what was typed there is written with it; its draft goes in the same step, or both stay as they were. */
  write(group: readonly Draft[], place?: string): Promise<Written>;
  /** Keep a photo or file sealed on the phone; named in an operation's fields or `fix` by the hash that is returned. */
  keepBlob(bytes: Uint8Array, mime: string): Promise<string>;
  /** Forget a photo that was taken off again; one that an operation names, or that was uploaded, stays. */
  dropBlob(sha256: string): Promise<void>;
  readBlob(sha256: string): Promise<{ bytes: Uint8Array; mime: string } | null>;

  // ---- what was typed and not saved yet
  /** All drafts, the last one first. */
  drafts(): KeptDraft[];
  draft(place: string): KeptDraft | null;
  keepDraft(draft: KeptDraft): Promise<void>;
  dropDraft(place: string): Promise<void>;

  // ---- agreeing
  /** Send, receive, check. One at a time: a second call waits for the first and gets its report. */
  sync(onProgress?: (progress: SyncProgress) => void): Promise<SyncReport>;
  /** Something of the server's beside the records, with this phone's token (the basemap). Throws EngineError. */
  fetch(path: string, headers?: Record<string, string>): Promise<Answer>;
  outbox(): Outbox;
  unsentCount(): number;
  /** While the PIN has not been given: operations that lie sealed to the server. */
  sealedCount(): Promise<number>;
  /** Hands them over without the PIN. What became of them is told at the next `sync`. */
  sendSealed(): Promise<SealedReport>;
  /** While the PIN has not been given: what lies here. */
  waiting(): Promise<Waiting>;
  /** The envelopes as a file, to be handed over by another phone: without the PIN, without a passphrase. */
  exportSealed(): Promise<Uint8Array>;
  markSealedSaved(): void;
  /** Hands over what such a file of another phone holds; null where it is no such file. Throws EngineError. */
  sendSealedFile(file: Uint8Array): Promise<SealedReport | null>;
  /** What became of own operations, newest first. */
  operations(options?: { recordId?: string; limit?: number; onlyOpen?: boolean }): Standing[];
  notices(): Notice[];
  /** The values of an open conflict; null before a synchronisation has fetched them. */
  dispute(recordId: string, unit: string): Dispute | null;
  /** The group that tells the office what was found at the door about something it asked; null where the record is not here. */
  checked(item: AskedItem, outcome: string, note: string): Draft[] | null;
  /** A notice by its id, or the problem `scope_changed`, was read. */
  dismiss(noticeId: string): Promise<void>;
  /** `{stream: {count, digest}}`, computed from the rows on this phone. */
  digests(): Record<string, { count: number; digest: string }>;

  // ---- rescue of unsent work
  /** All that the server has not answered, photos too, sealed with a passphrase; as a file to save or hand over. */
  exportRescue(passphrase: string): Promise<RescueFile>;
  /** The person says that the last file was saved: from now on `signOut` is open for what it holds. */
  markRescueSaved(): Promise<void>;
  /** Take unsent work of another install over; what is here already is left out. Throws EngineError `passphrase`. */
  importRescue(file: Uint8Array, passphrase: string): Promise<TakenOver>;

  /** The cell that holds a CGCS2000 point, as the server would say; null outside. */
  locate(lon: number, lat: number): string | null;
  /** What a fix allows to say: `fix` is a location value of any datum. */
  place(fix: Value): PlaceGuess | null;
}
