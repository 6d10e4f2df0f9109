// What the office has handed on to this person: asked for behind a complete pull that says by its mark that it is another than before,
// and taken over whole. What was found there goes back as a record of its own.

import { call, PROTOCOL, wanted, type Line } from "./calls.ts";
import type { Change, Ledger } from "./ledger.ts";
import type { Lookup } from "./lookup.ts";
import { reasonWords } from "./words.ts";
import type { FormRegistry } from "../forms/form.ts";
import type { AskedItem, Draft, Fields, Labels, Notice } from "./types.ts";

/** Record type of what was found at the door. */
const CHECK = "door_check";

/** Keeps what a complete page says of it; an older server says nothing. */
export function keepMark(change: Change, said: unknown): void {
  if (said !== undefined && said !== change.core.askedMark) change.patchCore({ askedMark: typeof said === "string" ? said : null });
}

/** Fetches what is asked where the last page's mark is not that of what is held; nothing is asked: nothing is held. Throws Stopped. */
export async function askAsked(line: Line): Promise<void> {
  const { ledger } = line;
  const { askedMark: mark, asked, installId } = ledger.core;
  if (mark === undefined || (asked && mark === asked.mark)) return;
  let held: { mark: string | null; items: readonly AskedItem[] } = { mark: null, items: [] };
  if (mark !== null) {
    const { body } = await call(line, "asked", "POST", "/api/v1/sync/asked", { protocol: PROTOCOL, install_id: installId });
    const told = wanted(body, "asked", "array").map(itemOf);
    held = { mark: (body["mark"] as string | null | undefined) ?? null, items: told };
  }
  await ledger.change("asked", (change) => change.patchCore({ asked: held, askedMark: held.mark }));
}

const texts = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

function itemOf(one: Record<string, unknown>): AskedItem {
  return {
    item: wanted(one, "item", "string"),
    kind: wanted(one, "kind", "string"),
    askedAt: text(one["asked_at"]),
    id: text(one["id"]),
    type: text(one["type"]) ?? "",
    units: texts(one["units"]),
    finding: text(one["finding"]),
    name: text(one["name"]),
    message: (one["message"] as Labels | null | undefined) ?? null,
    reason: text(one["reason"]),
    errors: (one["errors"] as AskedItem["errors"] | undefined) ?? [],
    by: text(one["by"]),
    claimedAt: text(one["claimed_at"]),
  };
}

const CONFLICT: Labels = { zh: "两人填的不一样，社区请你问清楚是哪一个", en: "Two people wrote different things: the office asks you to find out which is right" };
const FOUND: Record<string, Labels> = {
  orphaned: { zh: "所属的记录已删除", en: "what it belongs to was deleted" },
  confirm: { zh: "确认时内容已变", en: "it had changed when it was confirmed" },
  merged_unseen: { zh: "合并时还有没看到的值", en: "a value that nobody had seen when two were merged" },
  merge_undone: { zh: "合并撤回后要再核对", en: "to be looked at after a merge was taken back" },
  missing_range: { zh: "一台手机有一段内容没有收到，请问清楚填过什么", en: "a part of what a phone wrote never arrived: ask what was written" },
  op_id_reused: { zh: "一台手机用同一编号交了两份内容", en: "a phone sent two contents under one number" },
  copied_back: { zh: "服务器换回了较早的数据", en: "an older copy of the server's data was put back" },
  left_behind: { zh: "所属的户（人）已迁往其他社区", en: "those it is about live in another community now" },
};
const DOUBTFUL: Labels = { zh: "这条记录有疑点", en: "something about this record is in doubt" };

/** Why this person is asked, in words. */
function wordsOf(one: AskedItem): Labels {
  if (one.kind === "conflict") return CONFLICT;
  if (one.kind === "finding") return one.message ?? FOUND[one.finding ?? ""] ?? DOUBTFUL;
  const why = one.reason === null ? { zh: "待核对", en: "to be looked at" } : reasonWords(one.reason);
  return { zh: `有人填的没能写入：${why.zh}`, en: `Something was not recorded: ${why.en}` };
}

/** One question about an item: asked again it is another one. Instants are compared, not how they are written. */
const question = (item: unknown, askedAt: unknown): string => `${String(item)}\n${Date.parse(String(askedAt))}`;

/** What this person is asked and has not told what they found, nor settled here. */
export function noticesAsked(ledger: Ledger, lookup: Lookup, registry: FormRegistry): Notice[] {
  const { asked, disputes, user } = ledger.core;
  // a server of before told of conflicts alone, with their values
  const items = asked?.items ?? Object.values(disputes).flatMap((one): AskedItem[] => (one.delegatedTo === user.user_id ? [ofDispute(one.id, one.unit, one.v)] : []));
  const told = new Set(lookup.list(CHECK).map(({ fields }) => question(fields["item"], fields["asked_at"])));
  return items.flatMap((one): Notice[] => {
    if (told.has(question(one.item, one.askedAt))) return [];
    const view = one.id === null ? null : lookup.read(one.id);
    const isConflict = one.kind === "conflict";
    const unit = isConflict ? (one.units[0] ?? null) : null;
    if (isConflict && !(unit !== null && view?.conflicts.includes(unit))) return []; // settled on this phone
    const names = view ? one.units.flatMap((name) => registry.get(view.type)?.unitFields(name) ?? [name]) : [];
    const now = Object.fromEntries(names.flatMap((name) => (view?.fields[name] === undefined ? [] : [[name, view.fields[name]]]))) as Fields;
    return [{ id: `asked/${one.item}/${one.askedAt ?? ""}`, kind: "asked", opId: "", recordId: one.id ?? "", type: view?.type ?? one.type, unit, mine: {}, now, says: wordsOf(one), needsMe: true, asked: one }];
  });
}

const ofDispute = (id: string, unit: string, v: number): AskedItem => ({
  item: `conflict/${id}/${unit}/${v}`, kind: "conflict", askedAt: null, id, type: "", units: [unit], finding: "value", name: null, message: null, reason: null, errors: [], by: null, claimedAt: null,
});

/**
 * What was found at the door, as one group: what was seen to be right is confirmed, and told to the office beside its item. Null where
 * it cannot be told, because the record is not here.
 */
export function checkDrafts(lookup: Pick<Lookup, "read">, registry: FormRegistry, item: AskedItem, outcome: string, note: string, now: Date): Draft[] | null {
  const view = item.id === null ? null : lookup.read(item.id);
  const check = registry.get(CHECK);
  if (!view || !check) return null;
  const about: Fields = {};
  for (const [name, target] of check.refs) {
    if (target === view.type) about[name] = view.id;
    else if (typeof view.fields[name] === "string") about[name] = view.fields[name];
  }
  if (!Object.keys(about).length) return null;
  const form = registry.get(view.type);
  const units = [...new Set(item.units.map((name) => form?.unitOf(name) ?? name))].filter((unit) => form?.unitFields(unit).some((name) => (view.fields[name] ?? null) !== null));
  const seen: Draft[] = outcome === "right" && view.life === "live" && units.length && item.kind === "finding" ? [{ kind: "confirm", id: view.id, units }] : [];
  const set: Fields = { item: item.item, outcome, checked_at: now.toISOString(), ...about };
  if (item.askedAt !== null) set["asked_at"] = item.askedAt;
  if (note.trim()) set["note"] = note.trim();
  return [...seen, { kind: "create", type: CHECK, set }];
}
