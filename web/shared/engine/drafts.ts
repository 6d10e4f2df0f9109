// What is being typed and was not saved yet, sealed like everything else: a phone that is put down, locked or killed in the middle of
// a form offers it again. One block; it says nothing to anybody but the form that it came from.

import type { Ledger } from "./ledger.ts";
import type { BlockStore } from "./parts-types.ts";

const BLOCK = "drafts";
const MOST = 20;

/** What was typed at one place of the app. */
export interface KeptDraft {
  place: string;
  title: string;
  /** When it was last typed into. */
  at: string;
  content: unknown;
}

/** All of one phone, the last one last. */
export class Drafts {
  private readonly kept = new Map<string, KeptDraft>();
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly ledger: Ledger) {}

  /** Opens what was kept; a damaged block is as good as none. */
  async look(store: Pick<BlockStore, "read">): Promise<this> {
    const block = await store.read(BLOCK);
    const found = block ? await this.ledger.seal.openJson<KeptDraft[]>(BLOCK, block).catch(() => []) : [];
    for (const one of found) this.kept.set(one.place, one);
    return this;
  }

  at = (place: string): KeptDraft | null => this.kept.get(place) ?? null;
  all = (): KeptDraft[] => [...this.kept.values()].reverse();

  /** Durable when it resolves; `at` knows it at once. */
  keep(draft: KeptDraft): Promise<void> {
    this.kept.delete(draft.place);
    this.kept.set(draft.place, draft);
    for (const place of [...this.kept.keys()].slice(0, -MOST)) this.kept.delete(place);
    return this.write();
  }

  async drop(place: string): Promise<void> {
    if (this.kept.delete(place)) await this.write();
  }

  private write(): Promise<void> {
    const run = async (): Promise<void> => {
      const sealed = this.kept.size ? await this.ledger.seal.sealJson(BLOCK, [...this.kept.values()]) : null;
      await this.ledger.change("drafts", (change) => void change.blobs.set(BLOCK, sealed));
    };
    const next = this.turn.then(run, run);
    this.turn = next.catch(() => undefined);
    return next;
  }
}
