// How what a person did becomes frozen operations in the log: units, bases, values seen (docs/protocol.md, section 2).
// The twin of sync/device/writing.py.

import { dayAt } from "../forms/days.ts";
import { same, type Form, type FormRegistry } from "../forms/form.ts";
import { validate } from "../forms/validate.ts";
import { COMMAND_TYPES, expand } from "./commands.ts";
import type { Step, LogRow } from "./kept-types.ts";
import { EngineError, type Draft, type FieldError, type Fields, type RecordView, type Seen, type Value, type Version, type Written } from "./types.ts";

const TAKES_MEMBERS: ReadonlySet<string> = new Set(["move_household", "join_households"]);
export const MAX_GROUP_OPS = 2000;
export const MAX_GROUP_BYTES = 6_000_000;
const encoder = new TextEncoder();

/** What writing looks at; it sees the operations of the group that were written already. */
export interface Desk {
  registry: FormRegistry;
  read(id: string): RecordView | null;
  /** Own operations on a record that its copy does not contain for certain yet, oldest first. */
  unfinished(id: string): readonly LogRow[];
  membersOf(household: string): RecordView[];
  /** Takes a row into the log under way. */
  keep(row: LogRow): void;
  lastN(): number;
  newId(): string;
  now: Date;
}

type Base = Version | null;

const copyBase = (desk: Desk, id: string): Base => desk.read(id)?.version ?? null;

/** The one that saw less; none is oldest of all. */
const older = (one: Base, other: Base): Base => (one === null || other === null ? null : other.v < one.v ? other : one);

/**
 * The units grouped by their base, in the order in which the bases first appear. A unit with an own unfinished write stays
 * at the base of the first such write: what somebody else wrote in between was hidden behind the own value. And none is
 * newer than what the form showed (`seen`): what was pulled behind an open form nobody has looked at.
 */
function basesOfUnits(desk: Desk, form: Form, id: string, units: readonly string[], seen: Seen | null = null): [Base, string[]][] {
  const first = new Map<string, Base>();
  for (const row of desk.unfinished(id)) {
    for (const step of row.steps.filter((one) => one.id === id)) {
      for (const unit of form.byUnit(step.set).keys()) if (!first.has(unit)) first.set(unit, row.bases[id] ?? null);
    }
  }
  const present = seen ? seen.version : copyBase(desk, id);
  const grouped: [Base, string[]][] = [];
  for (const unit of units) {
    const base = !first.has(unit) ? present : seen ? older(first.get(unit) as Base, present) : (first.get(unit) as Base);
    const known = grouped.find(([other]) => same(other as unknown as Value, base as unknown as Value));
    if (known) known[1].push(unit);
    else grouped.push([base, [unit]]);
  }
  return grouped;
}

function baseOfRecord(desk: Desk, id: string): Base {
  const pending = desk.unfinished(id)[0];
  return pending ? (pending.bases[id] ?? null) : copyBase(desk, id);
}

/** What really changes: equal values are left out, whole sets become {add, remove}. */
function changesOnly(form: Form, seen: Fields, given: Fields): Fields {
  const changed: Fields = {};
  for (const [name, value] of Object.entries(given)) {
    const now = seen[name] ?? null;
    const policy = form.policyOf(name);
    if (policy === "union" && Array.isArray(value)) {
      const before = (now ?? []) as readonly Value[];
      const add = (value as readonly Value[]).filter((one) => !before.includes(one));
      const remove = before.filter((one) => !(value as readonly Value[]).includes(one));
      if (add.length || remove.length) changed[name] = { add, remove };
    } else if (policy === "add" || !same(value, now)) changed[name] = value;
  }
  return changed;
}

/** `was`: every field of the units as it was shown, null where it was empty; a unit is one fact. */
function valuesSeen(form: Form, seen: Fields, units: readonly string[]): Fields {
  return Object.fromEntries(units.flatMap((unit) => form.unitFields(unit).map((name) => [name, seen[name] ?? null])));
}

const isMask = (value: Value): boolean => typeof value === "object" && value !== null && !Array.isArray(value) && "mask" in value;

/** A mask is what is shown of a secret; it is never sent as a value. */
const withoutMasks = (fields: Fields): Fields => Object.fromEntries(Object.entries(fields).filter(([, value]) => !isMask(value)));

/** Writes one group. Throws EngineError; then nothing of it may be kept. */
export class Group {
  private readonly group: number;
  private readonly opIds: string[] = [];
  private readonly ids: string[] = [];
  private readonly errors: FieldError[] = [];
  private size = 0;
  private draft = 0;

  constructor(private readonly desk: Desk) {
    this.group = desk.lastN() + 1;
  }

  write(drafts: readonly Draft[]): Written {
    drafts.forEach((draft, at) => {
      this.draft = at;
      this.ids.push(this.one(draft));
    });
    if (this.errors.length) throw new EngineError("invalid", { zh: "填写内容有误", en: "what was filled in is not acceptable" }, this.errors);
    if (this.opIds.length > 1 && drafts.some((draft) => draft.kind === "command" && draft.arguments["community"] !== undefined)) {
      throw new EngineError("not_alone", { zh: "迁往其他社区要单独提交", en: "a move to another community has to be sent by itself" });
    }
    return { opIds: this.opIds, ids: this.ids, groupN: this.opIds.length ? this.group : null };
  }

  private one(draft: Draft): string {
    const { desk } = this;
    switch (draft.kind) {
      case "create": {
        const form = this.form(draft.type);
        const id = draft.id ?? desk.newId();
        const set = this.checked(form, draft.set, true);
        for (const [name, value] of Object.entries(set)) if (value === null) delete set[name];
        const more: Fields = draft.fix === undefined ? {} : { fix: draft.fix };
        this.keep(form, { kind: "create", id, set, was: {}, base: null, more });
        return id;
      }
      case "patch": {
        const { view, form } = this.seen(draft.id);
        const shown = draft.seen ?? view;
        const set = changesOnly(form, shown.fields, this.checked(form, withoutMasks(draft.set), false));
        const units = form.byUnit(set);
        for (const [base, members] of basesOfUnits(desk, form, draft.id, [...units.keys()], draft.seen)) {
          const part = Object.assign({}, ...members.map((unit) => units.get(unit))) as Fields;
          const more: Fields = draft.fix === undefined ? {} : { fix: draft.fix };
          this.keep(form, { kind: "patch", id: draft.id, set: part, was: valuesSeen(form, shown.fields, members), base, more });
        }
        return draft.id;
      }
      case "confirm": {
        const { view, form } = this.seen(draft.id);
        const names = draft.units ?? [...form.byUnit(view.fields).keys()];
        for (const [base, units] of basesOfUnits(desk, form, draft.id, names)) {
          const more: Fields = { units, ...(draft.fix === undefined ? {} : { fix: draft.fix }) };
          this.keep(form, { kind: "confirm", id: draft.id, set: {}, was: valuesSeen(form, view.fields, units), base, more, units });
        }
        return draft.id;
      }
      case "delete":
      case "restore": {
        const { form } = this.seen(draft.id);
        this.keep(form, { kind: draft.kind, id: draft.id, set: {}, was: {}, base: baseOfRecord(desk, draft.id), more: {} });
        return draft.id;
      }
      case "resolve": {
        const { view, form } = this.seen(draft.id);
        const set = this.checked(form, draft.set, false);
        const base = basesOfUnits(desk, form, draft.id, [draft.unit], draft.seen)[0]?.[0] ?? null;
        const more: Fields = { unit: draft.unit, siblings: draft.siblings };
        this.keep(form, { kind: "resolve", id: draft.id, set, was: valuesSeen(form, (draft.seen ?? view).fields, [draft.unit]), base, more });
        return draft.id;
      }
      case "command":
        this.command(draft);
        return draft.id;
    }
  }

  private command(draft: Extract<Draft, { kind: "command" }>): void {
    const { desk } = this;
    const { view, form } = this.seen(draft.id);
    if (!COMMAND_TYPES[draft.name]?.includes(view.type)) {
      throw new EngineError("invalid", { zh: "没有这个操作", en: "there is no such command" });
    }
    // everybody who lives there: those who were on the screen are named, so that somebody who moved out meanwhile is noticed
    const takes = TAKES_MEMBERS.has(draft.name) && draft.arguments["community"] === undefined; // into another community everybody goes
    const left = takes && draft.arguments["members"] === undefined ? (draft.arguments["household"] ?? draft.id) : null;
    const given = left === null ? draft.arguments : { ...draft.arguments, members: desk.membersOf(left as string).map((one) => one.id) };
    const today = dayAt(desk.now.getTime()); // as the server counts it, however the phone's zone is set
    const plain = expand(draft.name, { id: draft.id, arguments: given, today }, { read: (id) => desk.read(id), membersOf: (id) => desk.membersOf(id) });
    const bases: Record<string, Base> = {};
    const others: Record<string, Value> = {};
    let was: Fields = {};
    const steps = plain.map((step): Step => {
      const shown = desk.read(step.id);
      const own = desk.registry.get(step.type);
      const units = own ? [...own.byUnit(step.set).keys()] : [];
      const seen = own && shown ? valuesSeen(own, shown.fields, units) : {};
      const base = baseOfRecord(desk, step.id);
      bases[step.id] = base;
      if (step.id === draft.id) was = seen;
      else if (base !== null) others[step.id] = { base: { v: base.v, tag: base.tag }, was: seen };
      return { ...step, was: seen };
    });
    const base = bases[draft.id] ?? baseOfRecord(desk, draft.id);
    const more: Fields = { name: draft.name, arguments: given, others };
    this.freeze(form, { kind: "command", id: draft.id, set: {}, was, base, more }, steps, { ...bases, [draft.id]: base });
  }

  private form(type: string): Form {
    const form = this.desk.registry.get(type);
    if (!form) throw new EngineError("unknown_type", { zh: "没有这种记录的表单", en: "there is no form for this type of record" });
    return form;
  }

  private seen(id: string): { view: RecordView; form: Form } {
    const view = this.desk.read(id);
    if (!view) throw new EngineError("unknown_record", { zh: "本机没有这条记录", en: "this record is not on this phone" });
    return { view, form: this.form(view.type) };
  }

  private checked(form: Form, fields: Fields, creating: boolean): Fields {
    const { normal, errors } = validate(form, fields, creating);
    this.errors.push(...errors.map((error) => ({ ...error, draft: this.draft })));
    return normal;
  }

  private keep(form: Form, operation: Plain): void {
    const { kind, id, set, was, units } = operation;
    const step = { id, type: form.name, kind: kind as Step["kind"], set, was, ...(units ? { units } : {}) };
    this.freeze(form, operation, [step], { [id]: operation.base });
  }

  /** The text that is made here is what is sent, byte for byte, every time. `claimed_at` is a claim (L9). */
  private freeze(form: Form, operation: Plain, steps: readonly Step[], bases: Record<string, Base>): void {
    if (this.errors.length) return;
    const { desk } = this;
    const { kind, id, base, set, was, more } = operation;
    const opId = desk.newId();
    const claimedAt = desk.now.toISOString();
    const text = JSON.stringify({ op_id: opId, type: form.name, id, kind, base, set, was, ...more, form_version: form.version, claimed_at: claimedAt });
    this.size += encoder.encode(text).length;
    if (this.opIds.length === MAX_GROUP_OPS || this.size > MAX_GROUP_BYTES) {
      throw new EngineError("too_large", { zh: "一次保存的内容太多", en: "too much for one save" });
    }
    this.opIds.push(opId);
    desk.keep({
      n: desk.lastN() + 1,
      group: this.group,
      opId,
      kind,
      type: form.name,
      id,
      text,
      claimedAt,
      steps,
      bases,
      ...UNSENT,
    });
  }
}

interface Plain {
  kind: string;
  id: string;
  set: Fields;
  was: Fields;
  base: Base;
  more: Fields;
  units?: readonly string[];
}

/** What is known of an operation that was never sent. */
export const UNSENT = {
  state: "unsent",
  acknowledged: false,
  acknowledgedAt: null,
  settled: false,
  first: null,
  firstReason: null,
  now: null,
  reason: null,
  status: 0,
  errors: [],
  epoch: null,
  v: null,
} as const;
