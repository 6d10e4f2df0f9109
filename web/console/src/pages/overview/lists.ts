// From a figure to the list behind it.
import { filtersOn, type Figure } from "../../figures.ts";
import { router } from "../../router.ts";
import { PLACE_LISTS, setAsked } from "../../rosterState.ts";
import { may } from "../../session.ts";

/** Whether this reader may open the list behind a figure, on a past day too: lists of places are for more people than those of persons, and the inbox is of now. */
export function opens(figure: Figure, day: string | null = null): boolean {
  if (!figure.list) return false;
  if ("inbox" in figure.list) return day === null && may("inbox");
  // How many households a dwelling has is for those alone who see people.
  const counts = figure.list.filters?.some((one) => one.column === "households_count");
  return may("personal") || (!counts && may("records") && PLACE_LISTS.includes(figure.list.roster));
}

/** Open the list that a figure counts; `cell` is a cell's code or UNPLACED, null for the community; `day` a past one. */
export function openList(figure: Figure, cell: string | null, day: string | null = null): void {
  if (!figure.list) return;
  const query = cell ? { cell } : {};
  if ("inbox" in figure.list) {
    void router.push({ path: `/inbox/${figure.list.inbox}`, query });
    return;
  }
  setAsked(figure.list.roster, { filters: filtersOn(figure.list, day), sort: figure.list.sort ?? [], day });
  void router.push({ path: `/rosters/${figure.list.roster}`, query });
}
