// What stops work, or has to be told.

import type { Labels, Value } from "./types.ts";

/** Why something does not go on, and what the person can do. Several can hold at once. */
export interface Problem {
  code: ProblemCode;
  /** `stop`: nothing is sent until it is solved; `warn`: work goes on; `wait`: it solves itself. */
  severity: "stop" | "warn" | "wait";
  /** What has happened, and what to do next, in words. */
  says: Labels;
  next: Labels;
  /** Seconds to wait, where the server asked for that. */
  retryAfterS?: number;
  /** Names of streams, numbers and the like: never a person's data. */
  details?: Record<string, Value>;
}

export type ProblemCode =
  | "offline" // no answer: as good as flight mode
  | "busy" // the server asks to come back later
  | "revoked" // this install was revoked: keep, export, hand over
  | "leaving" // out of use: what is unsent is handed over, then the phone erases itself (details.reason)
  | "erased_left" // it has done so
  | "erased_lost" // it was reported lost: everything was erased at once
  | "token_refused" // the token is not taken: enrol anew after asking
  | "role_refused" // this account may not work with a phone
  | "version_old" // the program is older than the server accepts
  | "clock_wrong" // the phone's clock is off by more than five minutes (details.skew_s)
  | "storage_temporary" // the browser may remove the data: it has not granted lasting storage
  | "storage_full" // no room: the last write was NOT kept
  | "no_room" // the phone is full: it can be read, nothing new is kept
  | "storage_refused" // the browser lets this site keep nothing
  | "storage_broken" // what is stored cannot be read
  | "scope_changed" // cells were added or taken away (details.added, details.dropped)
  | "fork_needed" // a cloned or restored phone: it goes on as an install of its own at the next synchronisation
  | "unconfirmed" // the server was restored and does not know this phone yet: sending goes on, receiving waits
  | "copies_doubtful" // copies differ from the server's even after reading anew
  | "photo_stays" // photos that the server refused, or that do not open (details.n)
  | "failed" // the program itself is at fault
  | "refused" // the server refused the request (details.slug)
  | "not_understood"; // the answer does not follow the protocol
