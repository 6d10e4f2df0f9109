// What a person sees: the server's copy with the own unfinished operations laid over it. The twin of sync/device/view.py
// and of the policies of sync/policies.py that a phone needs; tests/vectors/overlay. Pure.

import { same, type Form, type FormRegistry } from "../forms/form.ts";
import type { Copy, LogRow, Step } from "./kept-types.ts";
import type { Confirmation, Fields, RecordView, Value } from "./types.ts";

export const FINAL_OUTCOMES: ReadonlySet<string> = new Set(["applied", "merged", "unchanged", "conflict", "erased"]);

type Changes = { add?: readonly Value[]; remove?: readonly Value[]; delta?: number };

const asChanges = (value: Value): Changes | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Changes) : null;
const has = (list: readonly Value[], one: Value): boolean => list.some((other) => same(other, one));

/** The set after `change`: `{add, remove}`, or a whole list compared with what was seen. null when empty. */
export function union(current: Value, change: Value, seen: Value): Value {
  const stands = (current ?? []) as readonly Value[];
  const changes = asChanges(change);
  let added: readonly Value[] = changes?.add ?? [];
  let removed: readonly Value[] = changes?.remove ?? [];
  if (change === null) removed = (seen ?? stands) as readonly Value[];
  else if (!changes) {
    const before = (seen ?? []) as readonly Value[];
    added = (change as readonly Value[]).filter((one) => !has(before, one));
    removed = before.filter((one) => !has(change as readonly Value[], one));
  }
  const kept = stands.filter((one) => !has(removed, one));
  for (const one of added) if (!has(kept, one)) kept.push(one);
  return kept.length ? kept : null;
}

const decimals = (number: number): number => {
  const [digits = "", exponent = "0"] = String(number).split("e");
  return Math.max(0, (digits.split(".")[1] ?? "").length - Number(exponent));
};

/** What stands plus a delta; decimals are added as they are written, so that 0.1 and 0.2 make 0.3. */
export function plus(current: Value, change: Value): Value {
  if (change === null) return current;
  const delta = typeof change === "number" ? change : (asChanges(change)?.delta ?? 0);
  const stands = typeof current === "number" ? current : 0;
  const places = Math.max(decimals(stands), decimals(delta));
  const total = stands + delta;
  return places && places <= 20 ? Number(total.toFixed(places)) : total;
}

function laid(form: Form | null, kind: string, name: string, current: Value, value: Value, was: Value): Value {
  if (kind === "resolve") return value;
  const policy = form?.policyOf(name) ?? "last";
  if (policy === "union") return union(current, value, was);
  if (policy === "add" && value !== null) return plus(current, value);
  if (policy === "append" && typeof value === "string") {
    const start = typeof was === "string" ? was : "";
    if (value.startsWith(start)) return (typeof current === "string" ? current : "") + value.slice(start.length);
  }
  return value;
}

/** The fields after the steps, in their order; a field set to null is absent. */
export function laidOver(fields: Fields, steps: readonly Step[], form: Form | null): Fields {
  const shown: Fields = { ...fields };
  for (const step of steps) {
    for (const [name, value] of Object.entries(step.set)) {
      shown[name] = laid(form, step.kind, name, shown[name] ?? null, value, step.was[name] ?? null);
    }
  }
  for (const [name, value] of Object.entries(shown)) if (value === null) delete shown[name];
  return shown;
}

/** `live` or `deleted` after own deletions and restorations, `merged` after a command that ends it; other states stay. */
export function lifeAfter(life: string, steps: readonly Step[]): string {
  for (const step of steps) {
    if (step.kind === "delete" && life === "live") life = "deleted";
    else if (step.kind === "restore" && life === "deleted") life = "live";
    else if (step.kind === "end" && life === "live") life = "merged";
  }
  return life;
}

/**
 * Own operations that lie over a copy: unfinished, and not contained in it already. While a pull is under way a copy may
 * contain an operation before a page was complete; its answer says from which version on.
 */
export function overlay(id: string, copy: Copy | null, rows: readonly LogRow[]): LogRow[] {
  return rows.filter((row) => {
    if (row.settled) return false;
    const isContained =
      copy !== null && row.id === id && row.v !== null && row.epoch === copy.epoch && row.v <= copy.v && FINAL_OUTCOMES.has(row.now ?? "");
    return !isContained;
  });
}

const NOTHING: readonly string[] = Object.freeze([]);

/** Nearly every record of a phone: the copy as it is, nothing laid over it. */
const untouched = (id: string, type: string, copy: Copy): RecordView => ({
  id, type, life: copy.life as RecordView["life"], fields: copy.fields, version: { v: copy.v, tag: copy.tag }, home: copy.home, conflicts: copy.conflicts, confirmed: copy.confirmed,
  pendingFields: NOTHING, pendingOps: NOTHING, formVersion: copy.formVersion,
});

/** A record as it is shown; null where the phone has neither copy nor operation. */
export function viewOf(id: string, copy: Copy | null, rows: readonly LogRow[], registry: FormRegistry): RecordView | null {
  if (rows.length === 0) return copy === null || copy.type === null ? null : untouched(id, copy.type, copy);
  const over = overlay(id, copy, rows);
  const pairs = over.flatMap((row) => row.steps.flatMap((step) => (step.id === id ? [[row, step] as const] : [])));
  if ((copy === null || copy.type === null) && pairs.length === 0) return null;
  const steps = pairs.map(([, step]) => step);
  const type = steps[0]?.type ?? (copy?.type as string);
  const form = registry.get(type);
  const confirmed: Record<string, Confirmation> = { ...copy?.confirmed };
  const pending = new Set<string>();
  for (const [row, step] of pairs) {
    const units = step.units ?? Object.keys(step.set).map((name) => form?.unitOf(name) ?? name);
    for (const unit of units) confirmed[unit] = { op_id: row.opId, claimed_at: row.claimedAt, arrived_at: null };
    for (const name of Object.keys(step.set)) pending.add(name);
  }
  return {
    id,
    type,
    life: lifeAfter(copy?.life ?? "live", steps) as RecordView["life"],
    fields: steps.length ? laidOver(copy?.fields ?? {}, steps, form) : (copy as Copy).fields,
    version: copy ? { v: copy.v, tag: copy.tag } : null,
    home: copy?.home ?? null,
    conflicts: copy?.conflicts ?? [],
    confirmed,
    pendingFields: [...pending],
    pendingOps: over.map((row) => row.opId),
    formVersion: copy?.formVersion ?? form?.version ?? 1,
  };
}
