// What was typed, for work that is done behind the keystroke: letters that arrive meanwhile are taken together, and nothing is done for
// what was asked before them.
import { customRef, onScopeDispose, watch, type Ref } from "vue";

/** Follows `text`, one task behind it; emptied at once. */
export function typedBehind(text: Ref<string>): Readonly<Ref<string>> {
  let value = text.value.trim();
  let timer = 0;
  return customRef((track, trigger) => {
    const take = (): void => {
      timer = 0;
      if (value === text.value.trim()) return;
      value = text.value.trim();
      trigger();
    };
    watch(text, (now) => {
      if (now.trim() === "") take();
      else if (timer === 0) timer = window.setTimeout(take); // a key that was pressed meanwhile comes before it
    }, { flush: "sync" });
    onScopeDispose(() => window.clearTimeout(timer));
    return {
      get: () => (track(), value),
      set: () => undefined,
    };
  });
}
