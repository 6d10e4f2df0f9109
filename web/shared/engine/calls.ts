// One call of the sync protocol: the token, and what a status other than 200 means. The twin of sync/device/calls.py.

import { revokedProblem } from "./erasing.ts";
import type { Ledger } from "./ledger.ts";
import { Fenced, Offline, StorageFull, type Answer, type Method, type Transport } from "./parts-types.ts";
import { SealBroken } from "./sealing.ts";
import type { Problem } from "./types.ts";
import { problem } from "./words.ts";

export const PROTOCOL = 1;

/** What stopped a synchronisation. Everything is still there, and the same may be sent again. */
export class Stopped extends Error {
  constructor(readonly problem: Problem) {
    super(problem.says.en);
  }

  get slug(): string {
    return String(this.problem.details?.["slug"] ?? "");
  }
}

/** An answer that does not follow the protocol; nothing of it was stored. */
export class NotUnderstood extends Stopped {
  constructor(why: string) {
    super(problem("not_understood", { details: { why } }));
  }
}

/** Counts what travelled, for people with a small data plan. */
export interface Meter {
  bytesUp: number;
  bytesDown: number;
  /** What the device's clock was ahead by at the last answer, in seconds; left out: no answer said what time it is. */
  skewS?: number;
}

/** When an answer was given by the server's own clock, in ms since 1970. */
export function servedAt({ headers }: Answer): number | null {
  const at = Date.parse(headers["date"] ?? "");
  return Number.isNaN(at) ? null : at;
}

/** What a synchronisation works with. */
export interface Line {
  ledger: Ledger;
  transport: Transport;
  fault: (step: string) => void;
  now: () => number;
  appVersion: string;
  meter: Meter;
}

const seconds = (text: string | undefined): number | undefined => {
  const found = Number(text);
  return text !== undefined && Number.isFinite(found) && found >= 0 ? found : undefined;
};

/** The answer where it is a success or a 304; everything else as a problem. */
export function accepted(answer: Answer): Answer {
  const { status, body, headers } = answer;
  if ((status >= 200 && status < 300) || status === 304) return answer;
  if (status === 429 || status >= 500) {
    const retryAfterS = seconds(headers["retry-after"]);
    throw new Stopped(problem("busy", retryAfterS === undefined ? {} : { retryAfterS }));
  }
  const slug = String(body["type"] ?? "").split("/").pop() ?? "";
  const details = { slug, status };
  if (slug === "install-revoked") throw new Stopped(revokedProblem({ ...details, reason: (body["reason"] as string | undefined) ?? null }));
  if (slug === "install-unconfirmed") throw new Stopped(problem("unconfirmed", { details }));
  if (slug === "outside-your-scope") throw new Stopped(problem("role_refused", { details }));
  if (status === 401) throw new Stopped(problem("token_refused", { details }));
  throw new Stopped(problem("refused", { details }));
}

/** What stopped it, in words. What nobody has thought of is the program's own fault, and is told too: silence would look like success. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Stopped) return error.problem;
  if (error instanceof StorageFull) return problem("no_room");
  if (error instanceof Fenced) return problem("storage_broken", { details: { why: "fenced" } });
  if (error instanceof SealBroken) return problem("storage_broken", { details: { why: "sealed" } });
  return problem("failed", { details: { why: error instanceof Error ? error.name : typeof error } }); // its text might name a person
}

/** Sends one request of the enrolled phone. */
export async function call(line: Line, name: string, method: Method, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer> {
  line.fault(`${name}: before sending`);
  let answer: Answer;
  try {
    answer = await line.transport.request(method, path, { token: line.ledger.core.token, ...(body === undefined ? {} : { body }), ...(headers ? { headers } : {}) });
  } catch (error) {
    if (error instanceof Offline) throw new Stopped(problem("offline"));
    throw error;
  }
  line.meter.bytesDown += answer.bytesDown;
  line.meter.bytesUp += answer.bytesUp;
  const at = servedAt(answer);
  if (at !== null) line.meter.skewS = (line.now() - at) / 1000;
  line.fault(`${name}: answered`);
  return accepted(answer);
}

type Kinds = { string: string; number: number; boolean: boolean; object: Record<string, unknown>; array: Record<string, unknown>[] };

/** A member that the protocol promises. */
export function wanted<K extends keyof Kinds>(body: Record<string, unknown>, name: string, kind: K): Kinds[K] {
  const value = body[name];
  const actual = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  if (actual !== kind || (kind === "number" && !Number.isSafeInteger(value))) throw new NotUnderstood(`'${name}' is missing or no ${kind}`);
  return value as Kinds[K];
}
