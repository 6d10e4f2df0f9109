// What was typed and not saved: kept from the first key on, a second after the last one and when the form is left, in whichever way; offered
// again where it was typed. It goes when it was saved, in the same step, or when the person says that it is not wanted.
import { showToast } from "vant/es/toast";
import { onBeforeUnmount, onMounted, watch } from "vue";
import { useRoute } from "vue-router";
import { t } from "../i18n.ts";
import { engine } from "../session.ts";

const QUIET_MS = 1000;

export interface Unsaved<T> {
  /** What was there when the form was opened; null where nothing was. */
  found: T | null;
  /** It was given up. */
  done(): void;
  /** Part of it was saved: keep at once what is left, nothing where nothing is. */
  keep(): void;
  /** Writes what was typed: `place` goes to the engine with it, so that its draft goes in the same step. Where `run` throws or answers false it stays. */
  write<R>(run: (place: string) => Promise<R>): Promise<R>;
}

/**
 * `snapshot`: what is typed now, as JSON can hold it, null where nothing is; `part`: which form of the screen; `title` names nobody but whom
 * the person typed in themselves; `about`: the known records that it is about, `type` of which kind.
 */
export function useUnsaved<T>({ part = "", title, type, about, snapshot }: { part?: string; title: () => string; type?: string; about: () => readonly string[]; snapshot: () => T | null }): Unsaved<T> {
  const place = useRoute().fullPath + (part && `#${part}`);
  const found = (engine().draft(place)?.content ?? null) as T | null;
  const now = (): string => JSON.stringify(snapshot());
  let last = JSON.stringify(found);
  /** What was written or given up. */
  let over = "null";
  let timer = 0;
  let isWriting = false;
  const nothing = (): undefined => undefined; // a full phone says so by itself; the form still has what was typed

  function keep(): void {
    window.clearTimeout(timer);
    if (isWriting || engine().state() !== "ready") return;
    const content = snapshot();
    const text = JSON.stringify(content);
    if (text === last) return;
    last = text;
    if (content === null) void engine().dropDraft(place).catch(nothing);
    else void engine().keepDraft({ place, title: title(), at: new Date().toISOString(), content, about: about(), ...(type === undefined ? {} : { type }) }).catch(nothing);
  }
  function hidden(): void {
    if (document.visibilityState === "hidden") keep();
  }
  function done(): void {
    window.clearTimeout(timer);
    last = over = now();
    if (engine().state() === "ready") void engine().dropDraft(place).catch(nothing);
  }
  async function write<R>(run: (place: string) => Promise<R>): Promise<R> {
    window.clearTimeout(timer);
    isWriting = true;
    let isWritten = false;
    try {
      const result = await run(place);
      isWritten = result !== false;
      if (isWritten) last = over = now();
      return result;
    } finally {
      isWriting = false;
      if (!isWritten) keep();
    }
  }
  watch(now, (text) => {
    window.clearTimeout(timer);
    if (last === "null" && text !== "null") keep();
    else timer = window.setTimeout(keep, QUIET_MS);
  });
  onMounted(() => document.addEventListener("visibilitychange", hidden));
  onBeforeUnmount(() => {
    document.removeEventListener("visibilitychange", hidden);
    keep(); // a phone that was locked meanwhile has it already
    const text = now();
    if (!isWriting && engine().state() === "ready" && text !== "null" && text !== over) showToast(t("record.unsaved.kept"));
  });
  return { found, done, keep, write };
}
