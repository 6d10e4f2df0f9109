// From a figure to the list behind it.
import type { Figure } from "../../figures.ts";
import { router } from "../../router.ts";
import { setAsked } from "../../rosterState.ts";

/** Open the list that a figure counts; `cell` is a cell's code, null for the community; `day` a past one. */
export function openList(figure: Figure, cell: string | null, day: string | null = null): void {
  if (!figure.list) return;
  if ("inbox" in figure.list) {
    void router.push(`/inbox/${figure.list.inbox}`);
    return;
  }
  setAsked(figure.list.roster, { filters: figure.list.filters ?? [], day });
  void router.push({ path: `/rosters/${figure.list.roster}`, query: cell ? { cell } : {} });
}
