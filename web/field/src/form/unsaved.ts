// What was typed and not saved: kept from the first key on, never more than a moment behind however long somebody goes on typing, and when the
// form is left, in whichever way; offered again where it was typed. It goes when it was saved, in the same step, or when the person says that
// it is not wanted.
import { showToast } from "vant/es/toast";
import { onBeforeUnmount, onMounted, ref, watch, type Ref } from "vue";
import { useRoute } from "vue-router";
import { t } from "../i18n.ts";
import { engine } from "../session.ts";

/** So far what is kept may be behind what is typed: a kill loses no more. */
const BEHIND_MS = 400;

export interface Unsaved<T> {
  /** What was there when the form was opened; null where nothing was. */
  found: T | null;
  /** Everything that is typed stands on the phone: a kill now would lose nothing. */
  isKept: Readonly<Ref<boolean>>;
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
  let pending = 0;
  const isKept = ref(true);
  const nothing = (): undefined => undefined; // a full phone says so by itself; the form still has what was typed
  function stop(): void {
    window.clearTimeout(timer);
    timer = 0;
  }

  function keep(): void {
    stop();
    if (isWriting || engine().state() !== "ready") return;
    const content = snapshot();
    const text = JSON.stringify(content);
    if (text === last) return settle();
    last = text;
    pending += 1;
    const kept = content === null ? engine().dropDraft(place) : engine().keepDraft({ place, title: title(), at: new Date().toISOString(), content, about: about(), ...(type === undefined ? {} : { type }) });
    void kept.catch(() => void (last = last === text ? "" : last)).finally(() => {
      pending -= 1;
      settle();
    });
  }
  function settle(): void {
    isKept.value = pending === 0 && timer === 0 && now() === last;
  }
  function hidden(): void {
    if (document.visibilityState === "hidden") keep();
  }
  function done(): void {
    stop();
    last = over = now();
    if (engine().state() === "ready") void engine().dropDraft(place).catch(nothing);
  }
  async function write<R>(run: (place: string) => Promise<R>): Promise<R> {
    stop();
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
    isKept.value = false;
    if (last === "null" && text !== "null") keep();
    else timer ||= window.setTimeout(keep, BEHIND_MS); // never put off by the next key
  });
  onMounted(() => document.addEventListener("visibilitychange", hidden));
  onBeforeUnmount(() => {
    document.removeEventListener("visibilitychange", hidden);
    keep(); // a phone that was locked meanwhile has it already
    const text = now();
    if (!isWriting && engine().state() === "ready" && text !== "null" && text !== over) showToast(t("record.unsaved.kept"));
  });
  return { found, isKept, done, keep, write };
}
