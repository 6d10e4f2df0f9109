// What was typed and not saved: kept a second after the last key and when the app goes out of sight; offered again where it was typed.
// It goes when it was saved, and when the person leaves the form: then it was given up.
import { onBeforeUnmount, onMounted, watch } from "vue";
import { useRoute } from "vue-router";
import { engine } from "../session.ts";

const QUIET_MS = 1000;

export interface Unsaved<T> {
  /** What was there when the form was opened; null where nothing was. */
  found: T | null;
  /** It was saved, or given up. */
  done(): void;
  /** Part of it was saved: keep at once what is left, nothing where nothing is. */
  keep(): void;
}

/** `snapshot`: what is typed now, as JSON can hold it, null where nothing is; `part`: which form of the screen. */
export function useUnsaved<T>({ part = "", title, snapshot }: { part?: string; title: () => string; snapshot: () => T | null }): Unsaved<T> {
  const place = useRoute().fullPath + (part && `#${part}`);
  const found = (engine().draft(place)?.content ?? null) as T | null;
  let last = JSON.stringify(found);
  let timer = 0;
  const nothing = (): undefined => undefined; // a full phone says so by itself; the form still has what was typed

  function keep(): void {
    window.clearTimeout(timer);
    if (engine().state() !== "ready") return;
    const content = snapshot();
    const text = JSON.stringify(content);
    if (text === last) return;
    last = text;
    if (content === null) void engine().dropDraft(place).catch(nothing);
    else void engine().keepDraft({ place, title: title(), at: new Date().toISOString(), content }).catch(nothing);
  }
  function hidden(): void {
    if (document.visibilityState === "hidden") keep();
  }
  function done(): void {
    window.clearTimeout(timer);
    last = JSON.stringify(snapshot());
    if (engine().state() === "ready") void engine().dropDraft(place).catch(nothing);
  }
  watch(() => JSON.stringify(snapshot()), () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(keep, QUIET_MS);
  });
  onMounted(() => document.addEventListener("visibilitychange", hidden));
  onBeforeUnmount(() => {
    document.removeEventListener("visibilitychange", hidden);
    done(); // a phone that was locked meanwhile keeps it: nobody has left the form
  });
  return { found, done, keep };
}
