// What is asked of each roster: kept in memory, so that filters on personal fields never stand in an address.
import { reactive } from "vue";
import type { RosterFilterAsked } from "./api/types.ts";

/** What can be asked without personal fields. */
export const PLACE_LISTS = ["dwellings", "buildings", "organizations", "resources"];

export interface Asked {
  filters: RosterFilterAsked[];
  sort: string[];
  question: string | null;
  /** Which of the question's lists. */
  list: string | null;
  /** What was true on this day; null for now. */
  day: string | null;
  /** The past day from which a question was asked that can be answered for today only. */
  notOn: string | null;
  /** The columns of a list that was saved, for as long as it is looked at; null: one's own. */
  columns: string[] | null;
}

const NOTHING: Asked = { filters: [], sort: [], question: null, list: null, day: null, notOn: null, columns: null };

const states = reactive<Record<string, Asked>>({});

export function askedOf(roster: string): Asked {
  states[roster] ??= { ...NOTHING };
  return states[roster];
}

export function setAsked(roster: string, asked: Partial<Asked>): void {
  states[roster] = { ...NOTHING, ...asked };
}
