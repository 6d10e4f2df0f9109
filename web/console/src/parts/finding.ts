// The search behind the box: hits belong to the words that they were found by, also while other words are being typed.
import { ref, shallowRef } from "vue";
import { why } from "../tell.ts";

const PAUSE_MS = 300;

interface Rows<Hit> {
  rows: Hit[];
}

/** `find` asks the server; groups without rows are left out. */
export function useFinding<Hit, Group extends Rows<Hit>>(find: (text: string, signal: AbortSignal) => Promise<Group[]>) {
  const text = ref("");
  const groups = shallowRef<Group[] | null>(null);
  const problem = ref("");
  const at = ref(0);
  /** The words by which what is shown was found. */
  let foundBy = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking: AbortController | null = null;

  const hits = (): Hit[] => (groups.value ?? []).flatMap((group) => group.rows);

  function clear(): void {
    clearTimeout(timer);
    asking?.abort();
    groups.value = null;
    problem.value = "";
    foundBy = "";
  }

  function typed(): void {
    clearTimeout(timer);
    if (text.value.trim().length === 0) clear();
    else timer = setTimeout(() => void ask(), PAUSE_MS);
  }

  async function ask(): Promise<void> {
    clearTimeout(timer);
    asking?.abort();
    asking = new AbortController();
    const wanted = text.value.trim();
    if (wanted === "") return;
    try {
      const found = await find(wanted, asking.signal);
      if (wanted !== text.value.trim()) return;
      groups.value = found.filter((group) => group.rows.length > 0);
      foundBy = wanted;
      problem.value = "";
      at.value = 0;
    } catch (error) {
      if (error instanceof DOMException || wanted !== text.value.trim()) return;
      groups.value = null;
      foundBy = "";
      problem.value = why(error);
    }
  }

  /** The hit to open; null where other words were typed since, or there is none: then these are asked first. */
  function chosen(): Hit | null {
    const hit = foundBy === text.value.trim() ? hits()[at.value] : undefined;
    if (hit === undefined) void ask();
    return hit ?? null;
  }

  return { text, groups, problem, at, hits, typed, chosen, clear };
}
