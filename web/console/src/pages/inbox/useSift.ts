// What of a queue is asked for. The cell stands in the address, where figures of the overview put it.
import { computed, ref, watch } from "vue";
import { useRoute, useRouter } from "vue-router";

/** What narrows a queue: nothing, its cell alone, or more than that. */
export type Narrowed = "" | "cell" | "more";

export function useSift() {
  const route = useRoute();
  const router = useRouter();
  const cell = computed({
    get: () => (typeof route.query.cell === "string" ? route.query.cell : ""),
    set: (code: string) => void router.replace({ path: route.path, query: code ? { cell: code } : {} }),
  });
  const mine = ref(false);
  const name = ref("");
  watch([cell, mine], () => (name.value = "")); // it may not be among what is left
  const asked = () => ({ cell: cell.value, mine: mine.value ? "true" : "", name: name.value });
  const narrowed = computed<Narrowed>(() => (mine.value || name.value ? "more" : cell.value ? "cell" : ""));
  function widen(): void {
    mine.value = false;
    name.value = "";
    cell.value = "";
  }
  return { cell, mine, name, asked, narrowed, widen };
}
