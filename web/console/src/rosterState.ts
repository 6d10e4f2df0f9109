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
}

const states = reactive<Record<string, Asked>>({});

export function askedOf(roster: string): Asked {
  states[roster] ??= { filters: [], sort: [], question: null, list: null, day: null };
  return states[roster];
}

export function setAsked(roster: string, asked: Partial<Asked>): void {
  states[roster] = { filters: [], sort: [], question: null, list: null, day: null, ...asked };
}
