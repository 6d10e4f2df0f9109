// What is on the phone, ready to be shown: merged views, found by type and by what they refer to. Kept in step with every
// change; nothing here is stored.

import { same, type FormRegistry } from "../forms/form.ts";
import type { LogRow } from "./kept-types.ts";
import type { Change, Ledger } from "./ledger.ts";
import type { Fields, RecordView, Value, Where } from "./types.ts";
import { viewOf } from "./view.ts";

const NONE: ReadonlySet<string> = new Set();

/** Views and indexes over one ledger. */
export class Lookup {
  private views = new Map<string, RecordView>();
  private byType = new Map<string, Set<string>>();
  /** Type → field → id that is referred to → ids that refer to it. */
  private byRef = new Map<string, Map<string, Map<string, Set<string>>>>();
  /** Own operations that are not contained in the copies for certain yet, by record. */
  private open = new Map<string, LogRow[]>();

  constructor(
    private readonly ledger: Ledger,
    private registry: FormRegistry,
  ) {
    this.rebuild(registry);
  }

  /** Everything anew: after opening, and when forms have changed. */
  rebuild(registry: FormRegistry): void {
    this.registry = registry;
    this.views = new Map();
    this.byType = new Map();
    this.byRef = new Map();
    this.open = new Map();
    for (const row of this.ledger.log.values()) this.opened(row);
    for (const id of this.ledger.entries.keys()) this.refresh(id);
    for (const id of this.open.keys()) if (!this.ledger.entries.has(id)) this.refresh(id);
  }

  private opened(row: LogRow): void {
    if (row.settled) return;
    for (const { id } of row.steps) {
      const rows = this.open.get(id);
      if (!rows) this.open.set(id, [row]);
      else if (rows[rows.length - 1] !== row) rows.push(row);
    }
  }

  /** Follows a change that was kept; the ids of the records whose view may have changed. */
  follow(change: Change): Set<string> {
    const ids = new Set<string>(change.entries.keys());
    if (change.rows.size) {
      const touched = new Set<number>(change.rows.keys());
      const records = new Set<string>();
      for (const [id, rows] of this.open) if (rows.some((row) => touched.has(row.n))) records.add(id);
      for (const id of records) {
        const left = (this.open.get(id) as LogRow[]).filter((row) => !touched.has(row.n));
        if (left.length) this.open.set(id, left);
        else this.open.delete(id);
        ids.add(id);
      }
      const fresh = [...touched].flatMap((n) => this.ledger.log.get(n) ?? []).sort((one, two) => one.n - two.n);
      for (const row of fresh) {
        this.opened(row);
        if (!row.settled) for (const step of row.steps) ids.add(step.id);
      }
      for (const id of ids) this.open.get(id)?.sort((one, two) => one.n - two.n);
    }
    for (const id of ids) this.refresh(id);
    return ids;
  }

  private refresh(id: string): void {
    const old = this.views.get(id);
    const view = viewOf(id, this.ledger.entries.get(id)?.copy ?? null, this.unfinished(id), this.registry);
    if (old?.life === "live") this.index(old, false);
    if (view === null) this.views.delete(id);
    else {
      this.views.set(id, view);
      if (view.life === "live") this.index(view, true);
    }
  }

  private index(view: RecordView, isAdded: boolean): void {
    const put = (sets: Map<string, Set<string>>, key: string): void => {
      const set = sets.get(key);
      if (isAdded) {
        if (set) set.add(view.id);
        else sets.set(key, new Set([view.id]));
      } else if (set?.delete(view.id) && set.size === 0) sets.delete(key);
    };
    put(this.byType, view.type);
    for (const [field, targets] of this.byRef.get(view.type) ?? []) {
      const target = view.fields[field];
      if (typeof target === "string") put(targets, target);
    }
  }

  /** Who refers to what by one field: made when it is first asked for, kept in step from then on. */
  private references(type: string, field: string): Map<string, Set<string>> {
    let fields = this.byRef.get(type);
    if (!fields) this.byRef.set(type, (fields = new Map()));
    let targets = fields.get(field);
    if (targets) return targets;
    fields.set(field, (targets = new Map()));
    for (const id of this.ids(type)) {
      const target = this.views.get(id)?.fields[field];
      if (typeof target !== "string") continue;
      const set = targets.get(target);
      if (set) set.add(id);
      else targets.set(target, new Set([id]));
    }
    return targets;
  }

  unfinished(id: string): readonly LogRow[] {
    return this.open.get(id) ?? [];
  }

  read(id: string): RecordView | null {
    return this.views.get(id) ?? null;
  }

  /** Ids of the live records of a type whose field refers to a record. */
  referring(type: string, field: string, target: string): ReadonlySet<string> {
    return this.references(type, field).get(target) ?? NONE;
  }

  ids(type: string): ReadonlySet<string> {
    return this.byType.get(type) ?? NONE;
  }

  list(type: string, where: Where = {}): RecordView[] {
    const filters = Object.entries(where);
    const refs = new Set((this.registry.get(type)?.refs ?? []).map(([field]) => field));
    const indexed = filters.find(([field, value]) => refs.has(field) && typeof value === "string");
    const ids = indexed ? this.referring(type, indexed[0], indexed[1] as string) : this.ids(type);
    const rest = filters.filter((filter) => filter !== indexed);
    const found: RecordView[] = [];
    for (const id of ids) {
      const view = this.views.get(id) as RecordView;
      if (rest.every(([field, value]) => holdsValue(view.fields, field, value))) found.push(view);
    }
    return found.sort(byId);
  }
}

const byId = (one: RecordView, two: RecordView): number => (one.id < two.id ? -1 : one.id > two.id ? 1 : 0);

function holdsValue(fields: Fields, field: string, value: Value): boolean {
  const held = fields[field] ?? null;
  return same(held, value) || (Array.isArray(held) && held.some((one: Value) => same(one, value)));
}
