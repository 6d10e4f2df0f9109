// The home screen's figures, kept sealed so that it stands at once after the PIN, while the records are still being opened.
import { computed, watch } from "vue";
import { language } from "../i18n.ts";
import { engine, glanced, outbox, reference, state } from "../session.ts";
import type { Door } from "./day.ts";
import { lookAtClock, today } from "./today.ts";
import { day } from "./use.ts";
import { householdName } from "./words.ts";

const SHOWN = 6;
const QUIET_MS = 1500;
const AGAIN_MS = 60_000;

export interface HomeFigures {
  cells: { id: string; name: string; total: number; current: number; never: number; old: number }[];
  dueCount: number;
  /** The most urgent ones, each with what the household is called. */
  doors: { door: Door; called: string }[];
}
interface Kept {
  day: string;
  language: string;
  figures: HomeFigures;
}

function figuresOf(): HomeFigures {
  const { doors, due } = day.value;
  const sums = new Map<string | null, { total: number; current: number; never: number }>();
  for (const one of doors) {
    let sum = sums.get(one.cellId);
    if (!sum) sums.set(one.cellId, (sum = { total: 0, current: 0, never: 0 }));
    sum.total += 1;
    if (one.state === "fresh" || one.state === "ageing") sum.current += 1;
    if (one.state === "never") sum.never += 1;
  }
  const cells = (reference.value?.cells.features ?? []).map(({ properties }) => {
    const { total, current, never } = sums.get(properties.cell_id) ?? { total: 0, current: 0, never: 0 };
    return { id: properties.cell_id, name: properties.name || properties.code, total, current, never, old: total - current - never };
  });
  return { cells, dueCount: due.length, doors: due.slice(0, SHOWN).map((door) => ({ door, called: householdName(door.household) })) };
}

/** What was kept, where it is of today and in the language that is shown. */
export const glance = computed<HomeFigures | null>(() => {
  const kept = glanced.value as Kept | null;
  return kept !== null && kept.day === today.value && kept.language === language() ? kept.figures : null;
});

/** Of the records where they are open, before that as they were kept. */
export const figures = computed<HomeFigures>(() => (state.value === "ready" ? figuresOf() : (glance.value ?? { cells: [], dueCount: 0, doors: [] })));

let last = "";
let timer = 0;

/** Keep what is shown now. */
export function keepNow(): void {
  clearTimeout(timer);
  if (state.value !== "ready" || reference.value === null) return;
  lookAtClock();
  const kept: Kept = { day: today.value, language: language(), figures: figures.value };
  const text = JSON.stringify([kept, outbox.value]);
  if (text === last) return;
  last = text;
  void engine().keepGlance(kept).then((isKept) => {
    if (isKept || last !== text) return;
    last = ""; // no room just now
    timer = window.setTimeout(keepNow, AGAIN_MS);
  });
}

/** Keep it once nothing has changed for a while. */
export function keepSoon(): void {
  window.clearTimeout(timer);
  timer = window.setTimeout(keepNow, QUIET_MS);
}

// Behind the PIN nothing of the records stays in memory: what was worked out from them is worked out from nothing.
watch(state, (now) => {
  if (now === "ready") return;
  last = "";
  clearTimeout(timer);
  void [day.value, figures.value];
});
