// What is being typed and was not saved yet, sealed like everything else: a phone that is put down, locked or killed in the middle of
// a form offers it again. One block; it says nothing to anybody but the form that it came from. What it says of others goes with
// their records: of a record that is not on this phone any more the own words stay, of one that was erased not even these.

import type { Change, Ledger } from "./ledger.ts";
import type { BlockStore } from "./parts-types.ts";
import type { Seal } from "./sealing.ts";
import type { Fields, Seen, Value } from "./types.ts";

export const DRAFTS = "drafts";
/** So long the own words about a record that has left stay, by the server's time. */
export const LEFT_DAYS = 30;
const DAY_S = 86_400;

/** What was typed at one place of the app. */
export interface KeptDraft {
  place: string;
  /** What it is; without the name of anybody whose record it is about: the screen adds that while the record is here. */
  title: string;
  /** When it was last typed into. */
  at: string;
  content: unknown;
  /** Type of the record that is typed about. */
  type?: string;
  /** Known records that it is about. */
  about?: readonly string[];
  /** Set once one of them is not on this phone any more: nothing can be saved then, `content` holds the own words (`Words`), null of an erased one. */
  left?: { why: "gone" | "erased"; on: number };
}

/** What was typed by hand, by field. */
export interface Words {
  words: Fields;
}

/** Place → the draft that goes with a change, and what stands there from then on. */
export type DraftChanges = ReadonlyMap<string, { from: KeptDraft; to: KeptDraft | null }>;

/** Opens what was kept; a damaged block is as good as none. */
export async function openDrafts(store: Pick<BlockStore, "read">, seal: Seal): Promise<Map<string, KeptDraft>> {
  const block = await store.read(DRAFTS);
  const found = block ? await seal.openJson<KeptDraft[]>(DRAFTS, block).catch(() => []) : [];
  return new Map(found.map((one) => [one.place, one]));
}

/** All drafts as they stand after a change; what was typed since it was computed stays. */
export function draftsAfter(kept: ReadonlyMap<string, KeptDraft>, changes: DraftChanges): KeptDraft[] {
  return [...kept.values()].flatMap((one) => {
    const change = changes.get(one.place);
    return change?.from !== one ? [one] : change.to ? [change.to] : [];
  });
}

/** Those that can still be finished and saved. */
export const unfinished = (drafts: Iterable<KeptDraft>): KeptDraft[] => [...drafts].filter((one) => !one.left);

/** All of one phone, the last one last. */
export class Drafts {
  constructor(private readonly ledger: Ledger) {}

  at = (place: string): KeptDraft | null => this.ledger.drafts.get(place) ?? null;
  all = (): KeptDraft[] => [...this.ledger.drafts.values()].reverse();

  /** Durable when it resolves; `at` knows it at once. */
  keep(draft: KeptDraft): Promise<void> {
    const { drafts } = this.ledger;
    drafts.delete(draft.place);
    drafts.set(draft.place, draft);
    return this.write([]);
  }

  async drop(place: string): Promise<void> {
    const draft = this.at(place);
    if (draft && this.ledger.drafts.delete(place)) await this.write([draft]);
  }

  private write = (gone: readonly KeptDraft[]): Promise<void> =>
    this.ledger.change("drafts", (change) => {
      change.touchesDrafts = true;
      letGoPhotos(change, gone);
    });
}

/** Photos of drafts that are given up go with them: nobody sends what nothing names. */
function letGoPhotos(change: Change, gone: readonly KeptDraft[]): void {
  const { blobs, disputes } = change.core;
  const said = JSON.stringify(gone.map((one) => one.content));
  const off = Object.keys(blobs).filter((name) => said.includes(name));
  if (off.length === 0) return;
  const copies = [...change.allEntries()].flatMap(({ copy }) => (copy ? [copy.fields] : []));
  const named = [JSON.stringify([change.allDrafts().map((one) => one.content), disputes, copies]), ...change.allRows().map((row) => row.text)];
  const free = new Set(off.filter((name) => !named.some((text) => text.includes(name))));
  for (const name of free) change.blobs.set(`b/${name}`, null);
  if (free.size) change.patchCore({ blobs: Object.fromEntries(Object.entries(blobs).filter(([name]) => !free.has(name))) });
}

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

/** What of a form's content was typed: what stood in the record already is left out, and of a step's choices all but the note. */
export function ownWords(content: unknown): Fields {
  const { edits, touched, seen, words, note } = (content ?? {}) as { edits?: unknown; touched?: readonly string[]; seen?: Seen | null; words?: unknown; note?: unknown };
  if (isFields(words)) return words;
  if (!isFields(edits)) return typeof note === "string" && note.trim() ? { note: note.trim() } : {};
  const stood = seen?.fields ?? {};
  const own = Object.entries(edits).flatMap(([name, value]): [string, Value][] => {
    if (touched && !touched.includes(name)) return [];
    const old = stood[name];
    if (value === null || JSON.stringify(value) === JSON.stringify(old)) return [];
    if (Array.isArray(value) && Array.isArray(old)) return [[name, (value as Value[]).filter((one) => !(old as Value[]).includes(one))]];
    if (typeof value === "string" && typeof old === "string" && old && value.startsWith(old)) return [[name, value.slice(old.length).trim()]];
    return [[name, value]];
  });
  return Object.fromEntries(own.filter(([, value]) => !(Array.isArray(value) && value.length === 0) && value !== ""));
}

/** Records that were written here and that the server has not given back yet. */
function madeHere(change: Change): Set<string> {
  return new Set(change.allRows().flatMap((row) => row.steps.filter((step) => step.kind === "create" && !row.settled).map((step) => step.id)));
}

/** Of records that a complete page says were lawfully erased nothing stays, but that something was begun. Before the removals are applied. */
export function eraseDrafts(change: Change, ids: ReadonlySet<string>): void {
  const drafts = change.allDrafts();
  if (drafts.length === 0) return;
  const on = change.core.serverTime ?? 0;
  const about = drafts.filter((one) => one.about?.some((id) => ids.has(id)) && one.left?.why !== "erased");
  for (const one of about) change.replaceDraft(one, { ...one, content: null, left: { why: "erased", on } });
  letGoPhotos(change, about);
}

/** Of records that are not on this phone any more the own words stay, for a while. */
export function letGoDrafts(change: Change): void {
  const on = change.core.serverTime ?? 0;
  let made: Set<string> | null = null;
  const isHere = (id: string): boolean => {
    const copy = change.entry(id)?.copy;
    return copy ? copy.life === "live" && copy.type !== null : (made ??= madeHere(change)).has(id);
  };
  for (const one of change.allDrafts()) {
    if (one.left) {
      if (one.left.on === 0) change.replaceDraft(one, { ...one, left: { ...one.left, on } }); // nobody had told the time yet
      else if (on - one.left.on > LEFT_DAYS * DAY_S) {
        change.replaceDraft(one, null);
        letGoPhotos(change, [one]);
      }
    } else if (one.about?.some((id) => !isHere(id))) {
      // under a name of its own: the same place may be written at again, should the record come back
      change.replaceDraft(one, { ...one, place: `left/${one.at}${one.place}`, content: { words: ownWords(one.content) } satisfies Words, left: { why: "gone", on } });
    }
  }
}
