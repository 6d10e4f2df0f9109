// Who is signed in, and which community they look at.
import { computed, reactive, ref, shallowRef } from "vue";
import { get, onRenewed, onSignedOut, post, Problem, remove, useToken } from "./api/client.ts";
import type { User } from "./api/types.ts";

interface SessionAnswer {
  user: User;
  csrf_token: string;
  expires_at: string;
}

const state = reactive<{ user: User | null }>({ user: null });
/** The session ended while the page was open: it stays, out of sight, until the same person is signed in again. */
export const ended = ref(false);
let under: Promise<void> | null = null;
const CHOSEN = "dishu.community";
const chosen = shallowRef<string | null>(null);
/** A community chosen by somebody who works for several; it stays chosen while the tab is open and they are signed in. */
export const chosenCommunity = computed<string | null>({
  get: () => chosen.value,
  set: (community) => {
    chosen.value = community;
    if (community && state.user) sessionStorage.setItem(CHOSEN, `${state.user.user_id} ${community}`);
    else sessionStorage.removeItem(CHOSEN);
  },
});

function chosenBefore(who: User): string | null {
  const [user_id, community] = (sessionStorage.getItem(CHOSEN) ?? "").split(" ");
  return who.community_id.startsWith("~") && user_id === who.user_id ? (community ?? null) : null;
}

export const user = computed(() => state.user);
export const role = computed(() => state.user?.role ?? "");
export const ofTheHouse = computed(() => state.user?.community_id.startsWith("~") ?? false);
/** The community that somebody looks at; empty while somebody of several has chosen none. */
export const communityOf = (who: User): string => (who.community_id.startsWith("~") ? (chosen.value ?? "") : who.community_id);
export const communityId = computed(() => (state.user ? communityOf(state.user) : ""));

/** The community as a parameter of what is asked by people of the house; everybody else is asked for their own. */
export const namedCommunity = (): string | null => (ofTheHouse.value ? communityId.value : null);

let whenKnown: (who: User) => void = () => undefined;

/** Something to begin with before anything is drawn for who signs in. */
export function onKnown(act: (who: User) => void): void {
  whenKnown = act;
}

/** Whose data this page holds in its memory: lists, filters, questions, counts. */
let heldFor: string | null = null;

/** Begin anew with an empty memory: nothing of one person is left for the next one at the same screen. */
function anew(hash: string): Promise<never> {
  history.replaceState(null, "", `${location.pathname}#${hash}`);
  location.reload();
  return new Promise<never>(() => undefined); // what comes next happens in the new page
}

function take(answer: SessionAnswer): void {
  heldFor = answer.user.user_id;
  chosen.value = chosenBefore(answer.user);
  whenKnown(answer.user);
  state.user = answer.user;
  ended.value = false;
  useToken(answer.csrf_token);
}

onSignedOut(() => {
  ended.value = state.user !== null;
});

// Another tab has signed in anew: the same person goes on, what is on this page is not for anybody else.
onRenewed(async () => {
  const answer = await get<SessionAnswer | undefined>("/api/v1/session?optional=true").catch(() => undefined);
  if (!answer) return false;
  if (heldFor !== null && heldFor !== answer.user.user_id) await anew("/");
  take(answer);
  return true;
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
  const answer = await post<SessionAnswer>("/api/v1/session", { login, password });
  // Nor does the address lead somebody else to what the one before was looking at.
  if (heldFor !== null && heldFor !== answer.user.user_id) await anew("/");
  take(answer);
}

export async function signOut(): Promise<void> {
  try {
    await remove("/api/v1/session");
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error; // who is signed out already may leave
  }
  chosenCommunity.value = null;
  await anew("/sign-in");
}

/** Their session has ended by what they did: nobody is signed in here. */
export function forget(): void {
  ended.value = false;
  state.user = null;
}

/** Roles of an area above the communities. */
export const OFFICERS = ["subdistrict", "district"];
const RIGHTS: Record<string, string[]> = {
  baseline: ["grid_worker", "community_worker", "secretary", "planner", "auditor", ...OFFICERS],
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
  decide: ["secretary"],
  people: ["secretary", "admin"],
  audit: ["secretary", "auditor", "admin"],
};

/** Whether the role may open a part of the console; the server decides again with every request. */
export function may(right: keyof typeof RIGHTS, who: User | null = state.user): boolean {
  return RIGHTS[right]?.includes(who?.role ?? "") ?? false;
}

/** Where somebody begins: who keeps accounts only has no figures to see. */
export const startOf = (): string => (may("baseline") ? "/" : "/people");
