// Several answers may be under way at once: only that to the newest question is shown, and never under another question's words.
import { ref, shallowRef } from "vue";
import { why } from "./tell.ts";

/** Each call begins a turn and ends those before it; what it gives says whether that turn still lasts. */
export function turns(): () => () => boolean {
  let turn = 0;
  return () => {
    const mine = ++turn;
    return () => mine === turn;
  };
}

/** The answer to the newest question; what failed is told beside it, and cleared when something else is asked. */
export function useLatest<Value>() {
  const value = shallowRef<Value | null>(null);
  const problem = ref("");
  const busy = ref(false);
  const begin = turns();
  let standing: string | null = null;

  /**
   * Ask for what `question` names. An answer to another question is taken away at once, one to the same stays until the new one is here.
   * `work` tells what it knows, also more than once; it is told false where something else was asked meanwhile.
   */
  async function ask(question: string, work: (tell: (told: Value) => boolean) => Promise<unknown>): Promise<void> {
    const lasts = begin();
    if (question !== standing) value.value = null;
    standing = question;
    busy.value = true;
    problem.value = "";
    try {
      await work((told) => {
        if (lasts()) value.value = told;
        return lasts();
      });
    } catch (error) {
      if (lasts()) problem.value = why(error);
    }
    if (lasts()) busy.value = false;
  }

  return { value, problem, busy, ask };
}
