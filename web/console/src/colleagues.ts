// Accounts of the community, asked once; only for those who may see them.
import { shallowRef, watch } from "vue";
import { get } from "./api/client.ts";
import type { Account } from "./api/types.ts";
import { may, user } from "./session.ts";

export const colleagues = shallowRef<Account[]>([]);
let under: Promise<void> | null = null;

export function loadColleagues(again = false): Promise<void> {
  if (!may("people")) return Promise.resolve();
  if (again || !under) under = get<{ users: Account[] }>("/api/v1/users").then((told) => void (colleagues.value = told.users));
  under.catch(() => (under = null));
  return under;
}
watch(user, () => {
  under = null;
  colleagues.value = [];
});
