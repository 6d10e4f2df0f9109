// Choices of people are kept for days, and a household goes on meanwhile: what is written names only who can be seen on the screen.
import type { RecordView } from "@shared/engine/index.ts";
import { computed, ref, type ComputedRef, type Ref } from "vue";
import { language, t } from "../i18n.ts";
import { engine } from "../session.ts";

export interface StillHere {
  /** Those of `ids` who can still be chosen. */
  of(ids: readonly string[]): string[];
  /** Who was chosen and cannot be any more, in words; empty where nobody fell out. */
  left: ComputedRef<string>;
  /** While it is written and after it nobody is named: they left by this very step. */
  over: Ref<boolean>;
}

/** `chosen`: everybody who was chosen, `people`: who can be chosen as of now. */
export function useStillHere(chosen: () => readonly string[], people: () => readonly RecordView[]): StillHere {
  const here = computed(() => new Set(people().map((one) => one.id)));
  const named = (id: string): string => String(engine().read(id)?.fields["name"] ?? t("app.notHere"));
  const over = ref(false);
  const left = computed(() => {
    if (over.value) return "";
    const gone = [...new Set(chosen())].filter((id) => !here.value.has(id));
    return gone.length ? t("record.fellOut", { names: gone.map(named).join(language() === "zh" ? "、" : ", ") }) : "";
  });
  return { of: (ids) => ids.filter((id) => here.value.has(id)), left, over };
}
