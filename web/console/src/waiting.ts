// How much waits in the inbox: asked with every change of page, shown beside its name.
import { ref } from "vue";
import { address, get } from "./api/client.ts";
import { communityId, may, ofTheHouse } from "./session.ts";

export const waiting = ref<Record<string, number>>({});
export const waitingTotal = ref(0);

interface Told {
  counts: Record<string, number>;
  total: number;
}

const asked = (more: Record<string, string>) => get<Told>(address("/api/v1/inbox", { community: ofTheHouse.value ? communityId.value : "", ...more }));

/** How many wait in a cell, of those kinds whose lists can be cut to it. */
export const countIn = async (cell: string): Promise<Record<string, number>> => (await asked({ cell })).counts;

/** The kind that is opened first: of those counted, in the order of their harm; conflicts where nothing waits. */
export const firstOf = (kinds: readonly string[], counts: Readonly<Record<string, number>>): string => kinds.find((one) => (counts[one] ?? 0) > 0) ?? "conflicts";

/** `duplicates`: these too; the server has to read a community's people for it, so only where they are shown. */
export async function countWaiting(duplicates = false): Promise<void> {
  if (!may("inbox")) return;
  const told = await asked({ duplicates: duplicates ? "true" : "" });
  // What was counted before stays beside the other kinds until it is counted again.
  const pairs = told.counts["duplicates"] === undefined ? waiting.value["duplicates"] : undefined;
  waiting.value = pairs === undefined ? told.counts : { ...told.counts, duplicates: pairs };
  waitingTotal.value = told.total + (pairs ?? 0);
}
