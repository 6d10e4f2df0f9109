// The choices of a command that was not confirmed yet, kept like everything else that is typed.
import type { Value } from "@shared/engine/index.ts";
import type { Ref } from "vue";
import { useUnsaved } from "../form/unsaved.ts";

/** Follows `choices`, and puts back what was chosen before the app was closed in the middle. */
export function useUnsavedChoices(title: () => string, choices: Readonly<Record<string, Ref<Value>>>): void {
  const now = (): Record<string, Value> => Object.fromEntries(Object.entries(choices).map(([name, choice]) => [name, choice.value]));
  const first = JSON.stringify(now());
  const { found } = useUnsaved<Record<string, Value>>({ title, snapshot: () => (JSON.stringify(now()) === first ? null : now()) });
  for (const [name, value] of Object.entries(found ?? {})) if (choices[name]) choices[name].value = value;
}
