// Commands are kept as one operation; what went wrong is told in words.
import { EngineError, type Draft } from "@shared/engine/index.ts";
import { showToast } from "vant/es/toast";
import { ref, type Ref } from "vue";
import { say, t } from "../i18n.ts";
import { engine } from "../session.ts";

interface Command {
  /** It is being written, or was: what is kept is kept once, however long the screen takes to go. */
  busy: Ref<boolean>;
  /** Why it was not kept, in words. */
  wrong: Ref<string>;
  /** Keeps a group and says so; `place`: of what was typed there (`Unsaved.write`). */
  run(group: Draft[], words?: string, place?: string): Promise<boolean>;
  /** Whether other work of the engine was done: a full phone is no reason to pretend so. */
  attempt(work: () => Promise<unknown>, words?: string): Promise<boolean>;
}

export function useCommand(): Command {
  const busy = ref(false);
  const wrong = ref("");
  const run: Command["run"] = async (group, words = t("record.saved"), place) => (busy.value = await attempt(() => engine().write(group, place), words));
  async function attempt(work: () => Promise<unknown>, words?: string): Promise<boolean> {
    busy.value = true;
    wrong.value = "";
    try {
      await work();
      if (words) showToast(words);
      return true;
    } catch (error) {
      wrong.value = error instanceof EngineError ? [say(error.says), ...error.errors.map((one) => say(one))].join(" · ") : t("record.notSaved");
      return false;
    } finally {
      busy.value = false;
    }
  }
  return { busy, wrong, run, attempt };
}
