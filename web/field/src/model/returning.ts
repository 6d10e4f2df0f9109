// What a list showed when somebody opened a row of it, for the way back: by its entry in the browser's history, and in memory only. What was
// searched for names people: it is gone with the lock.
import { onBeforeUnmount, watch } from "vue";
import { state } from "../session.ts";

const MOST = 30;
const kept = new Map<string, unknown>();
let count = 0;
watch(state, (now) => now !== "ready" && kept.clear(), { flush: "sync" });

/** What was shown here when it was left; null on every other way here. `now`: what is shown. */
export function useReturning<T>(now: () => T): T | null {
  const before = (window.history.state as { shown?: string } | null)?.shown;
  const mine = before ?? `${Date.now()}/${(count += 1)}`;
  if (before === undefined) window.history.replaceState({ ...window.history.state, shown: mine }, "");
  onBeforeUnmount(() => {
    if (state.value !== "ready") return;
    kept.delete(mine);
    kept.set(mine, now());
    if (kept.size > MOST) kept.delete(kept.keys().next().value as string);
  });
  return (kept.get(mine) as T | undefined) ?? null;
}
