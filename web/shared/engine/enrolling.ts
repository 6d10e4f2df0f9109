// A one-time code becomes an install. The answer may be lost on its way, and the code is used then: a secret that only this phone has
// asks for it again.

import { accepted, NotUnderstood, servedAt, Stopped, wanted } from "./calls.ts";
import { toText } from "./envelope.ts";
import { Offline, type BlockStore, type Transport } from "./parts-types.ts";
import { sendingFacts } from "./push.ts";
import { EngineError, type Identity } from "./types.ts";
import { problem } from "./words.ts";

/** The block that goes when the answer is kept. */
export const RETRY_KEY = "retry-key";

/** What the answer to an enrolment says. */
export interface Enrolled {
  identity: Identity;
  token: string;
  user: { user_id: string; name: string; role: string };
  sendToken: string | null;
  serverKey: string | null;
  /** The server's time in ms, where the answer told it. */
  servedAt: number | null;
}

/** The phone's secret until it is an install; kept before the code is used, so that a phone without room uses none. */
async function retryKey(store: BlockStore): Promise<string> {
  const kept = await store.read(RETRY_KEY);
  if (kept) return new TextDecoder().decode(kept);
  const made = toText(crypto.getRandomValues(new Uint8Array(32)));
  await store.commit(new Map([[RETRY_KEY, new TextEncoder().encode(made)]]), null);
  return made;
}

/** A one-time code becomes an install. Throws EngineError; asked again after a lost answer, the same phone gets the same one (W1). */
export async function enrol(transport: Transport, store: BlockStore, body: { code: string; label: string; app_version: string }): Promise<Enrolled> {
  const asked = { ...body, retry_key: await retryKey(store) };
  try {
    const given = accepted(await transport.request("POST", "/api/v1/enroll", { body: asked }));
    const answer = given.body;
    const user = wanted(answer, "user", "object") as Enrolled["user"];
    const identity: Identity = {
      communityId: wanted(answer, "community_id", "string"),
      installId: wanted(answer, "install_id", "string"),
      userId: user.user_id,
      userName: user.name,
      role: user.role,
      label: body.label,
    };
    return { identity, token: wanted(answer, "device_token", "string"), user, servedAt: servedAt(given), ...sendingFacts(answer) };
  } catch (error) {
    if (error instanceof Offline) throw new EngineError("offline", problem("offline").says, [], problem("offline"));
    if (!(error instanceof Stopped)) throw error;
    const slug = error.slug;
    const says: Record<string, [string, string]> = {
      "enrolment-code-unknown": ["没有这个登记码，请再核对", "There is no such code: check it"],
      "enrolment-code-used": ["登记码已经用过，请要一个新的", "The code was used already: ask for a new one"],
      "enrolment-code-expired": ["登记码已经过期，请要一个新的", "The code has expired: ask for a new one"],
    };
    const [zh, en] = says[slug] ?? [error.problem.says.zh, error.problem.says.en];
    throw new EngineError(error instanceof NotUnderstood || !says[slug] ? "refused" : "code", { zh, en }, [], error.problem);
  }
}
