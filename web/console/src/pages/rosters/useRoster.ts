// One list as it is asked now: pages by their cursor, one request at a time, the newest question wins.
import { computed, ref, shallowRef, watch } from "vue";
import { address, keepFile, send } from "../../api/client.ts";
import type { RosterColumn, RosterFilterAsked, RosterPage, RosterRow } from "../../api/types.ts";
import { UNPLACED } from "../../figures.ts";
import { communityId, may } from "../../session.ts";
import { why } from "../../tell.ts";
import { language } from "../../words/index.ts";

export interface Wanted {
  roster: string;
  cell: string | null;
  filters: RosterFilterAsked[];
  sort: string[];
  day: string | null;
}

const FIRST = 120;
const THEN = 600;

function pathOf(wanted: Wanted): string {
  const place = wanted.cell && wanted.cell !== UNPLACED ? `/api/v1/cells/${wanted.cell}` : `/api/v1/communities/${communityId.value}`;
  return `${place}/roster/${wanted.roster}`;
}

function filtersOf(wanted: Wanted): RosterFilterAsked[] {
  return wanted.cell === UNPLACED ? [...wanted.filters, { column: "cell_code", op: "is_null", value: true }] : wanted.filters;
}

export function useRoster() {
  const rows = shallowRef<RosterRow[]>([]);
  const columns = shallowRef<RosterColumn[]>([]);
  const about = shallowRef<Omit<RosterPage, "rows"> | null>(null);
  const problem = ref("");
  /** Why the next page did not come: the rows before it stay, and it can be asked for again. */
  const broken = ref("");
  const busy = ref(false);
  const doubts = ref(0);
  let asked: Wanted | null = null;
  let asking: AbortController | null = null;

  const more = computed(() => about.value?.next !== null && about.value?.next !== undefined);

  // Whoever sees personal fields asks by a body, so that no value stands in an address; others ask by address.
  function ask(wanted: Wanted, rest: Record<string, unknown>, options: { signal?: AbortSignal; accept?: string } = {}): Promise<Response> {
    const path = pathOf(wanted);
    const filters = filtersOf(wanted);
    const sort = { ...(wanted.sort.length ? { sort: wanted.sort } : {}), ...(wanted.day ? { as_of: wanted.day } : {}) };
    if (may("personal")) return send("POST", `${path}/search`, { body: { filters, ...sort, ...rest }, ...options });
    const asked: Record<string, string> = Object.fromEntries(filters.map((one) => [`${one.column}.${one.op}`, String(one.value)]));
    for (const [name, value] of Object.entries({ ...sort, ...rest })) if (name !== "purpose") asked[name] = String(value);
    return send("GET", address(path, asked), options);
  }

  async function page(wanted: Wanted, rest: Record<string, unknown>, signal?: AbortSignal): Promise<RosterPage> {
    return (await ask(wanted, rest, { signal })).json() as Promise<RosterPage>;
  }

  async function load(wanted: Wanted): Promise<void> {
    asking?.abort();
    asking = new AbortController();
    // Columns of another roster are nothing to choose from or to filter by.
    if (asked?.roster !== wanted.roster) columns.value = [];
    asked = wanted;
    busy.value = true;
    problem.value = broken.value = "";
    // Rows of another question never stand under the words of this one.
    about.value = null;
    rows.value = [];
    doubts.value = 0;
    try {
      const first = await page(wanted, { limit: FIRST }, asking.signal);
      columns.value = first.columns;
      rows.value = first.rows;
      doubts.value = first.in_doubt;
      about.value = first;
      if (first.count === undefined && first.next !== null && may("personal")) void count(wanted, asking.signal);
    } catch (error) {
      if (error instanceof DOMException) return;
      problem.value = why(error);
      rows.value = [];
      about.value = null;
    }
    busy.value = false;
  }

  // A page of a whole community is given before its rows are counted.
  async function count(wanted: Wanted, signal: AbortSignal): Promise<void> {
    try {
      const body = { filters: filtersOf(wanted), ...(wanted.day ? { as_of: wanted.day } : {}) };
      const told = (await (await send("POST", `${pathOf(wanted)}/count`, { body, signal })).json()) as { count: number };
      if (wanted === asked && about.value) about.value = { ...about.value, count: told.count };
    } catch {
      return; // the list itself says what is wrong
    }
  }

  async function next(): Promise<void> {
    if (!asked || !about.value?.next || busy.value) return;
    const [wanted, signal] = [asked, asking?.signal];
    busy.value = true;
    broken.value = "";
    try {
      const more = await page(wanted, { limit: THEN, next: about.value.next }, signal);
      if (wanted !== asked) return;
      rows.value = [...rows.value, ...more.rows];
      doubts.value += more.in_doubt;
      about.value = { ...more, as_of: about.value.as_of, count: more.count ?? about.value.count };
    } catch (error) {
      if (error instanceof DOMException) return;
      broken.value = why(error);
    }
    busy.value = false;
  }

  function idle(): Promise<void> {
    return new Promise((done) => {
      if (!busy.value) return done();
      const stop = watch(busy, () => { stop(); done(); });
    });
  }

  /** Everything that is still to come, up to so many pages; it ends where a page does not come. */
  async function rest(pages: number): Promise<void> {
    await idle();
    for (let page = 0; more.value && !broken.value && page < pages; page += 1) {
      await next();
      await idle();
    }
  }

  async function file(format: "xlsx" | "csv", shown: string[], purpose: string): Promise<string> {
    if (!asked) return "";
    const answer = await ask(asked, { format, columns: shown, codes: false, language: language.value === "en" ? "en" : "zh", purpose }, { accept: "*/*" });
    return keepFile(answer, `${asked.roster}.${format}`);
  }

  return { rows, columns, about, problem, broken, busy, doubts, more, load, next, rest, file };
}
