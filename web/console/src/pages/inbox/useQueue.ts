// One queue of the inbox, page by page.
import { onMounted, ref, shallowRef } from "vue";
import { address, get } from "../../api/client.ts";
import { communityId, ofTheHouse } from "../../session.ts";
import { why } from "../../tell.ts";

export function useQueue<Row>(kind: string, size = 50, cell: () => string | null = () => null) {
  const rows = shallowRef<Row[]>([]);
  const asOf = ref("");
  const count = ref<number | null>(null);
  const next = ref<string | null>(null);
  const problem = ref("");
  const asked = ref(false);

  async function load(more = false): Promise<void> {
    try {
      const told = await get<{ as_of: string; count?: number; rows: Row[]; next: string | null }>(
        address(`/api/v1/inbox/${kind}`, { limit: size, next: more ? next.value : null, cell: cell(), community: ofTheHouse.value ? communityId.value : null }),
      );
      rows.value = more ? [...rows.value, ...told.rows] : told.rows;
      asOf.value = told.as_of;
      next.value = told.next;
      count.value = told.count ?? null;
      problem.value = "";
    } catch (error) {
      problem.value = why(error);
    }
    asked.value = true;
  }
  onMounted(() => void load());
  return { rows, asOf, count, next, problem, asked, load };
}
