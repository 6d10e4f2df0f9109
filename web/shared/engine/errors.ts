// What the engine throws.

import type { FieldError, Labels, Problem } from "./types.ts";

export type EngineErrorCode =
  | "state" // not possible in this state
  | "invalid" // fields break the form: see `errors`
  | "unknown_record"
  | "unknown_type"
  | "not_alone" // a move to another community in a group with anything else
  | "too_large" // the group would not fit one batch
  | "storage_full"
  | "storage_broken"
  | "elsewhere" // another tab took over while this was written: nothing was kept
  | "unsent" // sign-out with unsent work
  | "drafts" // sign-out with something begun and not saved
  | "code" // the enrolment code is unknown, used or expired: `problem` says which
  | "offline"
  | "refused"
  | "passphrase"; // or not a rescue file

/** What the engine throws. Never holds a person's data. */
export class EngineError extends Error {
  constructor(
    readonly code: EngineErrorCode,
    readonly says: Labels,
    readonly errors: readonly FieldError[] = [],
    readonly problem: Problem | null = null,
  ) {
    super(`${code}: ${says.en}`);
    this.name = "EngineError";
  }
}
