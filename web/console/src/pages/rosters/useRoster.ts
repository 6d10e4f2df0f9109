// One list as it is asked now: pages by their cursor, one request at a time, the newest question wins.
import { computed, ref, shallowRef } from "vue";
import { keepFile, post, send } from "../../api/client.ts";
import type { RosterColumn, RosterFilterAsked, RosterPage, RosterRow } from "../../api/types.ts";
import { communityId } from "../../session.ts";
import { why } from "../../tell.ts";

export interface Wanted {
  roster: string;
  cell: string | null;
  filters: RosterFilterAsked[];
  sort: string[];
}

const FIRST = 120;
const THEN = 600;

export function useRoster() {
  const rows = shallowRef<RosterRow[]>([]);
  const columns = shallowRef<RosterColumn[]>([]);
  const about = shallowRef<Omit<RosterPage, "rows"> | null>(null);
  const problem = ref("");
  const busy = ref(false);
  const doubts = ref(0);
  let asked: Wanted | null = null;
  let asking: AbortController | null = null;

  const more = computed(() => about.value?.next !== null && about.value?.next !== undefined);

  function path(wanted: Wanted): string {
    const place = wanted.cell ? `/api/v1/cells/${wanted.cell}` : `/api/v1/communities/${communityId.value}`;
    return `${place}/roster/${wanted.roster}/search`;
  }

  function body(wanted: Wanted, rest: Record<string, unknown>): Record<string, unknown> {
    return { filters: wanted.filters, ...(wanted.sort.length ? { sort: wanted.sort } : {}), ...rest };
  }

  async function load(wanted: Wanted): Promise<void> {
    asking?.abort();
    asking = new AbortController();
    asked = wanted;
    busy.value = true;
    problem.value = "";
    try {
      const page = await post<RosterPage>(path(wanted), body(wanted, { limit: FIRST }), { signal: asking.signal });
      columns.value = page.columns;
      rows.value = page.rows;
      doubts.value = page.in_doubt;
      about.value = page;
    } catch (error) {
      if (error instanceof DOMException) return;
      problem.value = why(error);
      rows.value = [];
      about.value = null;
    }
    busy.value = false;
  }

  async function next(): Promise<void> {
    if (!asked || !about.value?.next || busy.value) return;
    const [wanted, signal] = [asked, asking?.signal];
    busy.value = true;
    try {
      const page = await post<RosterPage>(path(wanted), body(wanted, { limit: THEN, next: about.value.next }), { signal });
      if (wanted !== asked) return;
      rows.value = [...rows.value, ...page.rows];
      doubts.value += page.in_doubt;
      about.value = { ...page, as_of: about.value.as_of, count: page.count ?? about.value.count };
    } catch (error) {
      if (error instanceof DOMException) return;
      problem.value = why(error);
    }
    busy.value = false;
  }

  async function file(format: "xlsx" | "csv", shown: string[], purpose: string): Promise<string> {
    if (!asked) return "";
    const answer = await send("POST", path(asked), { body: body(asked, { format, columns: shown, purpose }), accept: "*/*" });
    return keepFile(answer, `${asked.roster}.${format}`);
  }

  return { rows, columns, about, problem, busy, doubts, more, load, next, file };
}
