// Accounts of the community, asked once; only for those who may see them.
import { shallowRef, watch } from "vue";
import { get } from "./api/client.ts";
import type { Account } from "./api/types.ts";
import { turns } from "./latest.ts";
import { may, user } from "./session.ts";

export const colleagues = shallowRef<Account[]>([]);
let under: Promise<void> | null = null;
const turn = turns();

export function loadColleagues(again = false): Promise<void> {
  if (!may("people")) return Promise.resolve();
  if (again || !under) {
    const lasts = turn();
    under = get<{ users: Account[] }>("/api/v1/users").then((told) => void (lasts() && (colleagues.value = told.users)));
    under.catch(() => lasts() && (under = null));
  }
  return under;
}
watch(user, () => {
  turn();
  under = null;
  colleagues.value = [];
});
