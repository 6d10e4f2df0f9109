// A household as a dialog about it needs it: its head, its door, everybody who lives in it, and what stood on the screen when it was read.
import { address, get } from "../../../api/client.ts";
import type { RecordAnswer, RelatedRow } from "../../../api/records.ts";
import { namedCommunity } from "../../../session.ts";

/** A record as it was shown: what an operation about it is written against. */
export interface Shown {
  type: string;
  v: number;
  tag: string;
}
export type Seen = Map<string, Shown>;

export interface Member {
  id: string;
  name: string;
}

export interface Home {
  id: string;
  /** Its door, else what it is called. */
  name: string;
  head: string | null;
  kind: string | null;
  members: Member[];
  seen: Seen;
}

const LIVES_HERE = "person.residence_household";
const PAGE = 200;

export const readRecord = (type: string, id: string): Promise<RecordAnswer> => get<RecordAnswer>(address(`/api/v1/records/${type}/${id}`, { community: namedCommunity() }));

/** The value of a field of a record's page, where it is a text. */
export function valueOf(page: Pick<RecordAnswer, "units">, name: string): string | null {
  const found = page.units.flatMap((unit) => unit.fields).find((field) => field.name === name)?.value;
  return typeof found === "string" ? found : null;
}

/** A household from its page; of more members than a page tells of, the rest is asked for. */
export async function homeFrom(page: Pick<RecordAnswer, "record" | "units" | "related">): Promise<Home> {
  const { id, v, tag, address: door, title } = page.record;
  const told = page.related.find((one) => one.relation === LIVES_HERE);
  const rows: RelatedRow[] = [...(told?.rows ?? [])];
  for (let next = told?.next ?? null; next !== null; ) {
    const more = await get<{ rows: RelatedRow[]; next: string | null }>(address(`/api/v1/records/household/${id}/related/${LIVES_HERE}`, { next, limit: PAGE, community: namedCommunity() }));
    rows.push(...more.rows);
    next = more.next;
  }
  const seen: Seen = new Map([[id, { type: "household", v, tag }]]);
  for (const row of rows) seen.set(row.id, { type: "person", v: row.v, tag: row.tag });
  const members = rows.map((row) => ({ id: row.id, name: row.title ?? row.id.slice(-6) })).reverse();
  return { id, name: door ?? title ?? id.slice(-6), head: valueOf(page, "head"), kind: valueOf(page, "kind"), members, seen };
}

export const readHome = async (id: string): Promise<Home> => homeFrom(await readRecord("household", id));
