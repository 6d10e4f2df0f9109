// One queue of the inbox, page by page.
import { onMounted, ref, shallowRef, watch } from "vue";
import { address, get } from "../../api/client.ts";
import { turns } from "../../latest.ts";
import { communityId, ofTheHouse } from "../../session.ts";
import { why } from "../../tell.ts";

/** `asked`: what narrows the queue; it is read anew with every load, and loaded anew when it changes. */
export function useQueue<Row, More = object>(kind: string, size = 50, asked: () => Record<string, string> = () => ({})) {
  const rows = shallowRef<Row[]>([]);
  /** What the answer tells besides its rows. */
  const about = shallowRef<More | null>(null);
  const asOf = ref("");
  const count = ref<number | null>(null);
  const next = ref<string | null>(null);
  const problem = ref("");
  const answered = ref(false);
  const turn = turns();

  async function load(more = false): Promise<void> {
    const lasts = turn();
    try {
      const told = await get<{ as_of: string; count?: number; rows: Row[]; next: string | null } & More>(
        address(`/api/v1/inbox/${kind}`, { limit: size, next: more ? next.value : null, ...asked(), community: ofTheHouse.value ? communityId.value : null }),
      );
      if (!lasts()) return; // something else was asked for meanwhile
      rows.value = more ? [...rows.value, ...told.rows] : told.rows;
      about.value = told;
      asOf.value = told.as_of;
      next.value = told.next;
      count.value = told.count ?? null;
      problem.value = "";
    } catch (error) {
      if (!lasts()) return;
      problem.value = why(error);
    }
    answered.value = true;
  }

  /** Take away what was just seen to, without asking for the list anew. */
  function drop(seenTo: (row: Row) => boolean): void {
    const left = rows.value.filter((row) => !seenTo(row));
    if (count.value !== null) count.value -= rows.value.length - left.length;
    rows.value = left;
  }
  onMounted(() => void load());
  // What is narrowed otherwise is another list: nothing of the former one is decided under its words.
  watch(() => JSON.stringify(asked()), () => {
    [rows.value, next.value, answered.value] = [[], null, false];
    void load();
  });
  return { rows, about, asOf, count, next, problem, asked: answered, load, drop };
}
