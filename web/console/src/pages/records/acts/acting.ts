// What was chosen in a dialog becomes one group, written against what was shown; what became of it is told, and only what stands is green.
import { shallowRef, type ShallowRef } from "vue";
import type { Act } from "@shared/forms/acts.ts";
import { Problem } from "../../../api/client.ts";
import { newId } from "../../../api/ids.ts";
import { write } from "../../../api/records.ts";
import { complain, fault, tellOutcome } from "../../../tell.ts";
import type { Seen } from "./home.ts";

type Operation = Record<string, unknown>;

/** The ids that an act names: in its arguments, and those that it shows. */
function named(act: Extract<Act, { kind: "command" }>): string[] {
  const values = Object.values(act.arguments).flatMap((one) => (Array.isArray(one) ? one : typeof one === "object" && one !== null ? Object.keys(one) : [one]));
  return [...new Set([...values, ...(act.shown ?? [])])].filter((one): one is string => typeof one === "string" && one !== act.id);
}

/** The operations of a group, each with the versions that were on the screen: what others wrote since is not written over unseen. */
export function operationsOf(acts: readonly Act[], seen: Seen): Operation[] {
  const base = (id: string) => {
    const one = seen.get(id);
    return one ? { v: one.v, tag: one.tag } : null;
  };
  return acts.map((act) => {
    if (act.kind === "create") return { ...act };
    const type = seen.get(act.id)?.type;
    if (act.kind === "patch") return { ...act, type, base: base(act.id) };
    const { shown: _, ...plain } = act;
    const others = Object.fromEntries(named(act).filter((id) => seen.has(id)).map((id) => [id, { base: base(id), was: {} }]));
    return { ...plain, type, base: base(act.id), others };
  });
}

export interface Acting {
  busy: ShallowRef<boolean>;
  /** What is wrong, by the name of the field or argument. */
  wrong: ShallowRef<Record<string, string>>;
  /** Write a group: whether the server has it, whatever became of it; null where it refused it, and nothing was written. `fine`: what it may become, as for `tellOutcome`. */
  act(acts: readonly Act[], seen: Seen, done: string, fine?: readonly string[]): Promise<"stands" | "waits" | null>;
}

export function useActing(): Acting {
  const busy = shallowRef(false);
  const wrong = shallowRef<Record<string, string>>({});
  let last = { asked: "", operations: [] as Operation[] };
  return {
    busy,
    wrong,
    async act(acts, seen, done, fine) {
      const asked = JSON.stringify(acts);
      // The same group again after a broken line is the same group: it is not written twice (L6).
      if (asked !== last.asked) last = { asked, operations: operationsOf(acts, seen).map((one) => ({ op_id: newId(), claimed_at: new Date().toISOString(), ...one })) };
      busy.value = true;
      wrong.value = {};
      try {
        return tellOutcome(await write(last.operations), done, fine) ? "stands" : "waits";
      } catch (error) {
        if (!(error instanceof Problem) || error.errors.length === 0) complain(error);
        else wrong.value = Object.fromEntries(error.errors.map((one) => [/\/(?:set|arguments)\/([^/]+)/.exec(one.pointer)?.[1] ?? "", fault(one)]));
        return null;
      } finally {
        busy.value = false;
      }
    },
  };
}
