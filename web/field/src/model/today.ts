// Which day it is: an app that stays open over midnight, or whose clock is put right, shows the new day's work.
import { dayAt } from "@shared/forms/days.ts";
import { ref } from "vue";

const LOOK_MS = 30_000;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** The day of an instant in the communities; a day is itself; null where the text is neither. */
export function dayOf(when: string): string | null {
  const ms = Date.parse(when);
  if (Number.isNaN(ms)) return null;
  return DAY.test(when) ? when : dayAt(ms);
}

/** The day; what is worked out from it reads this, and is worked out anew when it changes. */
export const today = ref(dayAt(Date.now()));

/** Look at the clock. */
export function lookAtClock(): void {
  today.value = dayAt(Date.now());
}

/** Look from time to time, and whenever the app comes to the front: timers stand still while a phone sleeps. */
export function followClock(): void {
  window.setInterval(lookAtClock, LOOK_MS);
  document.addEventListener("visibilitychange", lookAtClock);
}
