// How much waits in the inbox: asked with every change of page, shown beside its name.
import { ref } from "vue";
import { address, get } from "./api/client.ts";
import { communityId, may, ofTheHouse } from "./session.ts";

export const waiting = ref<Record<string, number>>({});
export const waitingTotal = ref(0);

/** `duplicates`: these too; the server has to read a community's people for it, so only where they are shown. */
export async function countWaiting(duplicates = false): Promise<void> {
  if (!may("inbox")) return;
  const told = await get<{ counts: Record<string, number>; total: number }>(
    address("/api/v1/inbox", { community: ofTheHouse.value ? communityId.value : "", duplicates: duplicates ? "true" : "" }),
  );
  // What was counted before stays beside the other kinds until it is counted again.
  const pairs = told.counts["duplicates"] === undefined ? waiting.value["duplicates"] : undefined;
  waiting.value = pairs === undefined ? told.counts : { ...told.counts, duplicates: pairs };
  waitingTotal.value = told.total + (pairs ?? 0);
}
