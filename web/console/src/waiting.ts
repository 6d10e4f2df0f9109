// How much waits in the inbox: asked with every change of page, shown beside its name.
import { ref } from "vue";
import { address, get } from "./api/client.ts";
import { communityId, may, ofTheHouse } from "./session.ts";

export const waiting = ref<Record<string, number>>({});
export const waitingTotal = ref(0);

export async function countWaiting(): Promise<void> {
  if (!may("inbox")) return;
  const told = await get<{ counts: Record<string, number>; total: number }>(
    address("/api/v1/inbox", { community: ofTheHouse.value ? communityId.value : "" }),
  );
  waiting.value = told.counts;
  waitingTotal.value = told.total;
}
