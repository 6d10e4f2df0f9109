// Commands are kept as one operation; what went wrong is told in words.
import { EngineError, type Draft } from "@shared/engine/index.ts";
import { showToast } from "vant/es/toast";
import { ref, type Ref } from "vue";
import { say, t } from "../i18n.ts";
import { engine } from "../session.ts";

/** `run` keeps a group and says so (`place`: of what was typed there, `Unsaved.write`); `wrong` is why it was not kept. */
export function useCommand(): { busy: Ref<boolean>; wrong: Ref<string>; run: (group: Draft[], words?: string, place?: string) => Promise<boolean> } {
  const busy = ref(false);
  const wrong = ref("");
  async function run(group: Draft[], words = t("record.saved"), place?: string): Promise<boolean> {
    busy.value = true;
    wrong.value = "";
    try {
      await engine().write(group, place);
      showToast(words);
      return true;
    } catch (error) {
      wrong.value = error instanceof EngineError ? [say(error.says), ...error.errors.map((one) => say(one))].join(" · ") : t("record.notSaved");
      return false;
    } finally {
      busy.value = false;
    }
  }
  return { busy, wrong, run };
}
