// What a card of the inbox offers and what it sends.
import type { ConflictRow, ConflictValue } from "../../api/records.ts";

/** Whether a conflict is also about a record's deletion: such a one is decided by itself, never in bulk, never by a key. */
export const aboutDeletion = (row: Pick<ConflictRow, "kind" | "record">): boolean => row.kind !== "value" || row.record.life === "deleted";

type Sibling = ConflictRow["siblings"][number];

/** The value that stands in the record. */
export function standingOf(siblings: Sibling[]): Sibling | undefined {
  const last = (role: string) => siblings.filter((one) => one.role === role).at(-1);
  return last("current") ?? last("overwritten") ?? siblings.at(-1);
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
