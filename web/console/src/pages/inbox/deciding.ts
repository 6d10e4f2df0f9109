// What a card of the inbox offers and what it sends.
import type { ConflictRow, ConflictValue } from "../../api/records.ts";

/** Whether a conflict is also about a record's deletion: such a one is decided by itself, never in bulk, never by a key. */
export const aboutDeletion = (row: Pick<ConflictRow, "kind" | "record">): boolean => row.kind !== "value" || row.record.life === "deleted";

/** One value on a card: `choose` is what is sent for it, its op_id, or STANDING for what stands in the record and is no value of the conflict. */
export interface Side extends Pick<ConflictRow["siblings"][number], "by" | "claimed_at" | "values"> {
  choose: string;
  stands: boolean;
  /** It stood when it was listed, and was written over since. */
  earlier: boolean;
}

/** What is sent to leave the record as it stands. */
export const STANDING = "standing";

/** The values to choose from: first what stands, where somebody wrote it after all those that differ. */
export function sidesOf({ now, siblings }: Pick<ConflictRow, "now" | "siblings">): Side[] {
  const sides = siblings.map(({ op_id, role, by, claimed_at, values, stands }) => ({ choose: op_id, by, claimed_at, values, stands, earlier: role === "current" && !stands }));
  return now === null ? sides : [{ choose: STANDING, by: now.by, claimed_at: now.claimed_at, values: now.values, stands: true, earlier: false }, ...sides];
}

/** The value that stands in the record. */
export const standingOf = (sides: readonly Side[]): Side | undefined => sides.filter((one) => one.stands).at(-1);

/** What is sent for the same decision about many: the value that came last (what stands, where it was written after all of them), or that the record stays as it is. */
export function bulkChoice(row: Pick<ConflictRow, "now" | "siblings">, pick: "latest" | "current"): string | undefined {
  return pick === "current" || row.now !== null ? STANDING : [...row.siblings].sort((a, b) => (a.arrived_at ?? "").localeCompare(b.arrived_at ?? "")).at(-1)?.op_id;
}

const maskOf = (value: unknown): string | null => (typeof value === "object" && value !== null && "mask" in value ? String(value.mask) : null);

/** What another value begins with: what stands; a secret that is shown as a mask begins empty. */
export function beginning(names: string[], standing: Record<string, ConflictValue> | null | undefined): { draft: Record<string, unknown>; masks: Record<string, string> } {
  const draft: Record<string, unknown> = {};
  const masks: Record<string, string> = {};
  for (const name of names) {
    const value = standing?.[name]?.value ?? null;
    const mask = maskOf(value);
    if (mask !== null) masks[name] = mask;
    draft[name] = mask === null ? value : null;
  }
  return { draft, masks };
}

/** Only what somebody typed: everything else stays as it stands, and a secret that nobody typed is never emptied. */
export function typed(start: Record<string, unknown>, draft: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(draft).filter(([name, value]) => JSON.stringify(value ?? null) !== JSON.stringify(start[name] ?? null)));
}

/** Whether every field of a repair has a value or is left out on purpose. */
export const answered = (names: string[], draft: Record<string, unknown>, left: ReadonlySet<string>): boolean =>
  names.every((name) => left.has(name) || hasValue(draft[name]));

const hasValue = (value: unknown): boolean => value !== null && value !== undefined && value !== "" && !(Array.isArray(value) && value.length === 0);
