// Back to what was begun in a sheet: from the list of the first screen, and after the phone had locked itself in the middle.
import { useRoute, type RouteLocationRaw, type Router } from "vue-router";
import { engine, notices, state } from "../session.ts";

/** Where the phone locked itself while it was typed into. */
let interrupted: string | null = null;

/** The way to a draft's place; its sheet opens by itself. */
export function wayTo(router: Router, place: string): RouteLocationRaw {
  const { path, query } = router.resolve(place.split("#")[0] || "/");
  return { path, query, state: { draft: place } };
}

/** Whether nothing can be gone on with there any more: what was to be answered was settled, or is not asked now. */
export function isOver(router: Router, place: string): boolean {
  const [path = "", part] = place.split("#");
  const { name, params } = router.resolve(path || "/");
  if (name !== "notice") return false;
  const notice = notices.value.find((one) => one.id === params["id"]);
  return !notice || (part !== undefined && !(notice.unit && engine().dispute(notice.recordId, notice.unit)));
}

/** What is asked for of the screen that is being set up: the part of a place behind `#`, once. */
export function useBegun(): { part: string | null; left(part: string): void } {
  const here = `${useRoute().fullPath}#`;
  const asked = (window.history.state as { draft?: string } | null)?.draft ?? interrupted;
  interrupted = null;
  if (asked !== null && window.history.state?.draft) window.history.replaceState({ ...window.history.state, draft: undefined }, "");
  const part = asked?.startsWith(here) && engine().draft(asked) ? asked.slice(here.length) : null;
  return {
    part,
    left(open) {
      if (state.value !== "ready") interrupted = here + open;
    },
  };
}
