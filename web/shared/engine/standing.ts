// What became of the own operations, and what this person should hear of it.

import { noticesAsked } from "./asked.ts";
import type { FormRegistry } from "../forms/form.ts";
import { DECIDED_AGAINST, hasNews } from "./keeping.ts";
import type { LogRow } from "./kept-types.ts";
import type { Ledger } from "./ledger.ts";
import type { Lookup } from "./lookup.ts";
import type { Dispute, Fields, Labels, Notice, Outbox, RecordView, Standing } from "./types.ts";
import { FINAL_OUTCOMES } from "./view.ts";
import { outcomeWords } from "./words.ts";

/** The other community that a command asks to take its household or person (S30): such a command changes nothing by itself. */
function crossingTo(row: LogRow): string | null {
  if (row.kind !== "command" || row.steps.length) return null;
  const asked = (JSON.parse(row.text) as { arguments?: Fields }).arguments?.["community"];
  return typeof asked === "string" ? asked : null;
}

/** Which command it is. */
const actOf = (row: LogRow): string | null => (row.kind === "command" ? ((JSON.parse(row.text) as { name?: string }).name ?? null) : null);

const ASKED_THERE = "asked_there";

/** Whom such a command waits for: nobody has it yet, the own secretary, or the other community. */
function crossingAt(row: LogRow): Standing["crossingAt"] {
  if (crossingTo(row) === null) return null;
  if (row.reason !== "proposal") return "phone";
  return row.errors.some((one) => one.code === ASKED_THERE) ? "there" : "here";
}

const CROSSING_WORDS = { phone: null, here: "own_office", there: "crossing" } as const;

function wordsOf(row: LogRow): Labels {
  const at = crossingAt(row);
  return outcomeWords(row.state, row.now, (at && CROSSING_WORDS[at]) ?? row.reason, row.settled);
}

export function standingOf(row: LogRow): Standing {
  return {
    n: row.n,
    groupN: row.group,
    opId: row.opId,
    kind: row.kind,
    act: actOf(row),
    type: row.type,
    id: row.id,
    crossingTo: crossingTo(row),
    crossingAt: crossingAt(row),
    claimedAt: row.claimedAt,
    state: row.state,
    settled: row.settled,
    outcome: row.now,
    reason: row.reason,
    errors: row.errors.filter((one) => one.code !== ASKED_THERE),
    says: wordsOf(row),
  };
}

/** Which own operations. */
export interface Which {
  recordId?: string;
  limit?: number;
  onlyOpen?: boolean;
}

/** What became of them, newest first. */
export function operationsOf(ledger: Ledger | null, { recordId, limit = 200, onlyOpen = false }: Which): Standing[] {
  const rows = [...(ledger?.log.values() ?? [])].reverse();
  const wanted = rows.filter((row) => (recordId === undefined || row.id === recordId || row.steps.some((step) => step.id === recordId)) && !(onlyOpen && row.settled));
  return wanted.slice(0, limit).map(standingOf);
}

/** The outbox in one look. */
export function outboxOf(ledger: Ledger | null): Outbox {
  if (!ledger) return { unsent: 0, records: 0, oldestClaimedAt: null, lastSyncAt: null, waiting: 0, photos: 0 };
  let unsent = 0;
  let waiting = 0;
  let oldest: string | null = null;
  const records = new Set<string>();
  for (const row of ledger.log.values()) {
    if (row.state !== "answered") {
      unsent += 1;
      oldest ??= row.claimedAt;
      records.add(row.id);
    } else if (!FINAL_OUTCOMES.has(row.now ?? "")) waiting += 1;
  }
  return { unsent, records: records.size, oldestClaimedAt: oldest, lastSyncAt: ledger.core.lastSyncAt, waiting, photos: Object.values(ledger.core.blobs).filter((one) => one.uploadedAt === null).length };
}

const SAYS = {
  released: { zh: "等的那一条到了，你填的已写入", en: "What it waited for arrived: your entry is recorded" },
  agreed: { zh: "社区同意了，你填的已写入", en: "The community agreed: your entry is recorded" },
  looked: { zh: "社区核对过，已写入；可能改过，请看一下", en: "The community has checked it and recorded it, perhaps with a change: have a look" },
  crossed: { zh: "对方社区已接收，资料已转过去", en: "The other community has accepted: the records are there now" },
  conflict: { zh: "两人填的不一样：你的值和别人的值都已保留，等人决定", en: "Two people wrote different things: your value and the other one are both kept, somebody decides" },
  open: { zh: "两人填的不一样，还没有定下来", en: "Two people wrote different things, and nobody has decided yet" },
  stands: { zh: "两人填的不一样，现在记的是你的值", en: "Two people wrote different things; yours is the one that stands now" },
  decided: { zh: "两人填的不一样，已经决定，现在记的是另一个值", en: "Two people wrote different things; it was decided, and another value stands now" },
  overwritten: { zh: "你填的值后来被别人改了", en: "What you wrote was changed by somebody else later" },
} as const;

/** What an open conflict is called: read once, it is told again only where other values stand side by side. */
const openId = ({ id, unit, siblings }: Dispute): string => `open/${id}/${unit}/${siblings.map((one) => one.op_id).sort().join()}`;

/** The values of a unit that is in dispute, once they were fetched. */
const openAt = (view: RecordView | null, unit: string, ledger: Ledger): Dispute | null =>
  (view?.life === "live" && view.conflicts.includes(unit) && ledger.core.disputes[`${view.id}/${unit}`]) || null;

/** Conflicts of the held records that nobody has settled, whoever wrote; those that the office asks about are told as such. */
function noticesOpen(ledger: Ledger, lookup: Lookup, registry: FormRegistry, told: readonly Notice[]): Notice[] {
  const known = new Set(told.map((one) => one.id));
  const asked = new Set((ledger.core.asked?.items ?? []).flatMap((one) => (one.kind === "conflict" ? [`${one.id}/${one.units[0]}`] : [])));
  return Object.values(ledger.core.disputes).flatMap((one): Notice[] => {
    const view = lookup.read(one.id);
    const form = view && registry.get(view.type);
    const isAsked = one.delegatedTo === ledger.core.user.user_id || asked.has(`${one.id}/${one.unit}`);
    if (!view || !form || isAsked || known.has(openId(one)) || !openAt(view, one.unit, ledger)) return [];
    return [{ id: openId(one), kind: "conflict", opId: "", recordId: one.id, type: view.type, unit: one.unit, mine: {}, now: valuesOf(view.fields, form.unitFields(one.unit)), says: SAYS.open, needsMe: true }];
  });
}

function noticesOfConflict(row: LogRow, ledger: Ledger, lookup: Lookup, registry: FormRegistry): Notice[] {
  return row.steps.flatMap((step) => {
    const view = lookup.read(step.id);
    const form = registry.get(step.type);
    if (!form) return [];
    const now = view?.fields ?? {};
    const units = form.byUnit(step.set);
    return [...units].flatMap(([unit, mine]) => {
      const isOpen = view?.conflicts.includes(unit) ?? false;
      const stands = Object.entries(mine).every(([name, value]) => JSON.stringify(now[name] ?? null) === JSON.stringify(value));
      // which unit was in dispute is only told while the conflict is open; afterwards a value that stands needs no word
      if (!isOpen && (stands || form.policyOf(Object.keys(mine)[0] as string) === "union")) return [];
      const says: Labels = isOpen ? SAYS.conflict : SAYS.decided;
      const shown = valuesOf(now, form.unitFields(unit));
      const open = openAt(view, unit, ledger);
      return [{ id: open ? openId(open) : `${row.opId}/${unit}`, kind: "conflict" as const, opId: row.opId, recordId: step.id, type: step.type, unit, mine, now: shown, says, needsMe: open !== null }];
    });
  });
}

const valuesOf = (fields: Fields, names: readonly string[]): Fields =>
  Object.fromEntries(names.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]]))) as Fields;

const NOT_ARRIVED: Labels = { zh: "还没有上传到服务器", en: "it has not reached the server yet" };
const STANDS_IN_THE_WAY: ReadonlySet<string> = new Set(["held", "quarantined"]);

/** What a held operation waits for, as far as this phone can tell: an earlier own one of the same record, or a record that it refers to. */
function waitedFor(row: LogRow, ledger: Ledger, registry: FormRegistry): Notice["waitsFor"] {
  const own = new Set(row.steps.map((step) => step.id));
  for (const earlier of ledger.log.values()) {
    if (earlier.n >= row.n) break;
    const inTheWay = earlier.state === "answered" && STANDS_IN_THE_WAY.has(earlier.now ?? "");
    if (inTheWay && earlier.steps.some((step) => own.has(step.id))) return { recordId: earlier.id, says: standingOf(earlier).says };
  }
  for (const step of row.steps) {
    for (const [field] of registry.get(step.type)?.refs ?? []) {
      const target = step.set[field];
      if (typeof target !== "string" || own.has(target) || ledger.entries.get(target)?.copy) continue;
      const made = [...ledger.log.values()].find((one) => one.kind === "create" && one.id === target);
      return { recordId: target, says: made ? standingOf(made).says : NOT_ARRIVED };
    }
  }
  return null;
}

/** What became of one that waited and is recorded now: it was let in, looked at, or what it waited for came. */
function comeThrough(row: LogRow): Labels {
  if (crossingTo(row) !== null) return SAYS.crossed;
  if (row.first === "quarantined") return SAYS.looked;
  return row.firstReason === "proposal" ? SAYS.agreed : SAYS.released;
}

/** Everything that the person has not dismissed, newest first. */
export function noticesOf(ledger: Ledger, lookup: Lookup, registry: FormRegistry): Notice[] {
  const found: Notice[] = [];
  for (const row of [...(ledger.core.news ?? []), ...ledger.log.values()]) {
    if (row.now === null || row.state !== "answered") continue;
    if (row.now === "conflict") found.push(...noticesOfConflict(row, ledger, lookup, registry));
    else {
      const kind = DECIDED_AGAINST.has(row.reason) ? "declined" : row.now === "held" || row.now === "quarantined" || row.now === "erased" ? row.now : hasNews(row) ? "released" : null;
      if (kind === null) continue;
      const says = kind === "released" ? comeThrough(row) : wordsOf(row);
      const mine = row.steps.find((step) => step.id === row.id)?.set ?? {};
      const id = kind === "released" ? `${row.opId}/released` : row.opId;
      found.push({ id, kind, opId: row.opId, recordId: row.id, type: row.type, unit: null, mine, now: lookup.read(row.id)?.fields ?? {}, says, needsMe: kind === "quarantined" || kind === "declined", ...(kind === "held" ? { waitsFor: waitedFor(row, ledger, registry) } : {}) });
    }
  }
  for (const one of ledger.core.overwritten) {
    const now = lookup.read(one.id)?.fields ?? {};
    const fields = registry.get(one.type)?.unitFields(one.unit) ?? [one.unit];
    const shown = valuesOf(now, fields);
    found.push({ id: `${one.opId}/${one.unit}/over`, kind: "overwritten", opId: one.opId, recordId: one.id, type: one.type, unit: one.unit, mine: one.mine, now: shown, says: SAYS.overwritten, needsMe: false });
  }
  found.push(...noticesOpen(ledger, lookup, registry, found), ...noticesAsked(ledger, lookup, registry));
  const left = new Set(ledger.core.dismissed);
  return found.reverse().filter(({ id }) => !left.has(id) && left.add(id)); // two own values in one open conflict: the later one
}
