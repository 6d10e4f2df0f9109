// How much waits in the inbox: asked with every change of page, shown beside its name.
import { ref } from "vue";
import { address, get } from "./api/client.ts";
import { turns } from "./latest.ts";
import { communityId, may, ofTheHouse } from "./session.ts";

export const waiting = ref<Record<string, number>>({});
export const waitingTotal = ref(0);

interface Told {
  counts: Record<string, number>;
  total: number;
  /** Of every kind in which something waits: how harmful its worst item is, 0 the most; only where asked. */
  harms?: Record<string, number>;
}

const asked = (more: Record<string, string>) => get<Told>(address("/api/v1/inbox", { community: ofTheHouse.value ? communityId.value : "", ...more }));

/** How many wait in a cell, of those kinds whose lists can be cut to it; how harmful the worst of each is, where asked. */
export const countIn = (cell: string, harms = false): Promise<Told> => asked({ cell, harms: harms ? "true" : "" });

/** What the server says of a kind of which it tells no harm: the least. */
const LESS = 2;

/**
 * How many wait, and how harmful the worst of each kind is. A duplicate may do most harm: unless something that does waits anyway they are
 * asked for, too; else the server need not read a community's people for it.
 */
export async function harmsOf(): Promise<Told> {
  const told = await asked({ harms: "true" });
  if (Object.values(told.harms ?? {}).includes(0)) return told;
  return asked({ harms: "true", duplicates: "true" }).catch(() => told);
}

/** The kind that is opened first: the one whose worst item does most harm while it waits; of equal ones the first of `kinds`; conflicts where nothing waits. */
export function firstOf(kinds: readonly string[], { counts, harms = {} }: Pick<Told, "counts" | "harms">): string {
  const some = kinds.filter((one) => (counts[one] ?? 0) > 0);
  const [first] = [...some].sort((one, other) => (harms[one] ?? LESS) - (harms[other] ?? LESS));
  return first ?? "conflicts";
}

const [turn, turnOfPairs] = [turns(), turns()];

/** `duplicates`: these too; the server has to read a community's people for it, so only where they are shown. */
export async function countWaiting(duplicates = false): Promise<void> {
  if (!may("inbox")) return;
  const isNewest = turn();
  const isNewestOfPairs = duplicates ? turnOfPairs() : () => false;
  const { duplicates: counted, ...others } = (await asked({ duplicates: duplicates ? "true" : "" })).counts;
  const { duplicates: before, ...former } = waiting.value;
  // Pairs take longer: they may come after a newer count of the others, and stay beside it until they are counted again.
  const pairs = isNewestOfPairs() ? counted : before;
  const rest = isNewest() ? others : former;
  waiting.value = pairs === undefined ? rest : { ...rest, duplicates: pairs };
  waitingTotal.value = Object.values(waiting.value).reduce((sum, n) => sum + n, 0);
}
