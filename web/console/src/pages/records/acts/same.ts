// Whether somebody who is being entered is on record already: asked of the server while it is typed, told with what speaks for it.
import { ref, shallowRef, watch } from "vue";
import { post } from "../../../api/client.ts";
import { communityId } from "../../../session.ts";
import { why } from "../../../tell.ts";

export interface Suspect {
  id: string;
  name: string;
  where: string;
  /** The whole document number is the same. */
  certain: boolean;
}

interface Hit {
  id: string;
  title: string | null;
  subtitle: string | null;
  matched: { field: string; how: string }[];
}

const PAUSE_MS = 500;
const MOST = 3;
/** Below it a number is the tail of many. */
const WHOLE_NUMBER = 8;

/** Those who may be the one that is typed: with the same number, else with the very name. */
export function suspectsOf(name: string, byNumber: readonly Hit[], byName: readonly Hit[]): Suspect[] {
  const found = new Map<string, Suspect>();
  const add = (hit: Hit, certain: boolean) => found.has(hit.id) || found.set(hit.id, { id: hit.id, name: hit.title ?? "", where: hit.subtitle ?? "", certain });
  for (const hit of byNumber) if (hit.matched.some((one) => one.field === "document_number" && one.how === "exact")) add(hit, true);
  for (const hit of byName) if (hit.title === name) add(hit, false);
  return [...found.values()].slice(0, MOST);
}

/** Follows what is typed, a moment behind it; an answer to older words is not shown. */
export function useSame(typed: () => { name: string; number: string }) {
  const suspects = shallowRef<Suspect[]>([]);
  /** Why nobody could be looked for: then that none is named says nothing. */
  const failed = ref("");
  let asking: AbortController | null = null;
  const find = async (text: string, signal: AbortSignal): Promise<Hit[]> => {
    if (text === "") return [];
    const told = await post<{ groups: { rows: Hit[] }[] }>(`/api/v1/communities/${communityId.value}/find`, { text, types: ["person"] }, { signal });
    return told.groups.flatMap((one) => one.rows);
  };
  watch(() => [typed().name.trim(), typed().number.trim()] as const, ([name, number], _, onCleanup) => {
    const timer = setTimeout(async () => {
      asking?.abort();
      asking = new AbortController();
      const { signal } = asking;
      try {
        const [byNumber, byName] = await Promise.all([find(number.length >= WHOLE_NUMBER ? number : "", signal), find(name.length > 1 ? name : "", signal)]);
        if (signal.aborted) return;
        suspects.value = suspectsOf(name, byNumber, byName);
        failed.value = "";
      } catch (error) {
        if (signal.aborted) return;
        suspects.value = [];
        failed.value = why(error);
      }
    }, PAUSE_MS);
    onCleanup(() => {
      clearTimeout(timer);
      asking?.abort();
    });
  });
  return { suspects, failed };
}
