// Who is signed in, and which community they look at.
import { computed, reactive, ref } from "vue";
import { get, onSignedOut, post, remove, useToken } from "./api/client.ts";
import type { User } from "./api/types.ts";

interface SessionAnswer {
  user: User;
  csrf_token: string;
  expires_at: string;
}

const state = reactive<{ user: User | null }>({ user: null });
let under: Promise<void> | null = null;
/** A community chosen by somebody who works for several. */
export const chosenCommunity = ref<string | null>(null);

export const user = computed(() => state.user);
export const role = computed(() => state.user?.role ?? "");
export const ofTheHouse = computed(() => state.user?.community_id.startsWith("~") ?? false);
export const communityId = computed(() => chosenCommunity.value ?? (ofTheHouse.value ? "" : (state.user?.community_id ?? "")));

let whenKnown: (who: User) => void = () => undefined;

/** Something to begin with before anything is drawn for who signs in. */
export function onKnown(act: (who: User) => void): void {
  whenKnown = act;
}

function take(answer: SessionAnswer): void {
  whenKnown(answer.user);
  state.user = answer.user;
  useToken(answer.csrf_token);
}

onSignedOut(() => {
  state.user = null;
});

/** Ask once who is signed in; nobody is no error. */
export function restore(): Promise<void> {
  under ??= ask();
  return under;
}

async function ask(): Promise<void> {
  try {
    const answer = await get<SessionAnswer | undefined>("/api/v1/session?optional=true");
    if (answer) take(answer);
  } catch {
    state.user = null;
  }
}

export async function signIn(login: string, password: string): Promise<void> {
  take(await post<SessionAnswer>("/api/v1/session", { login, password }));
}

export async function signOut(): Promise<void> {
  await remove("/api/v1/session");
  state.user = null;
  chosenCommunity.value = null;
}

const OFFICERS = ["subdistrict", "district"];
const RIGHTS: Record<string, string[]> = {
  records: ["grid_worker", "community_worker", "secretary", "planner", ...OFFICERS],
  personal: ["grid_worker", "community_worker", "secretary", ...OFFICERS],
  write: ["grid_worker", "community_worker", "secretary"],
  unmask: ["community_worker", "secretary"],
  inbox: ["grid_worker", "community_worker", "secretary"],
  cells: ["secretary", "admin"],
  exports: ["community_worker", "secretary", "planner", ...OFFICERS],
  personalExports: ["community_worker", "secretary"],
  imports: ["secretary"],
  erase: ["secretary", "admin"],
  surveys: ["grid_worker", "community_worker", "secretary", ...OFFICERS],
  manageSurveys: ["secretary"],
  visitRules: ["secretary"],
  people: ["secretary", "admin"],
  audit: ["secretary", "auditor", "admin"],
};

/** Whether the role may open a part of the console; the server decides again with every request. */
export function may(right: keyof typeof RIGHTS): boolean {
  return RIGHTS[right]?.includes(role.value) ?? false;
}
