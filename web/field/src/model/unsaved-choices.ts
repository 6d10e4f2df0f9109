// The choices of a command that was not confirmed yet, kept like everything else that is typed.
import type { Value } from "@shared/engine/index.ts";
import { ref, type Ref } from "vue";
import { useUnsaved, type Unsaved } from "../form/unsaved.ts";

type Choices = Record<string, Value>;

/** `again`: what was chosen before the app was closed in the middle stands there again; `drop` gives it up. */
export interface UnsavedChoices extends Pick<Unsaved<Choices>, "write" | "isKept"> {
  again: Ref<boolean>;
  drop(): void;
}

/** Follows `choices` about these records. `title` names nobody. */
export function useUnsavedChoices(title: () => string, about: () => readonly string[], choices: Readonly<Record<string, Ref<Value>>>): UnsavedChoices {
  const now = (): Choices => Object.fromEntries(Object.entries(choices).map(([name, choice]) => [name, choice.value]));
  const first = JSON.stringify(now());
  const { found, done, write, isKept } = useUnsaved<Choices>({ title, about, snapshot: () => (JSON.stringify(now()) === first ? null : now()) });
  const again = ref(found !== null);
  const stand = (values: Choices): void => {
    for (const [name, value] of Object.entries(values)) if (choices[name]) choices[name].value = value;
  };
  stand(found ?? {});
  return {
    again,
    write,
    isKept,
    drop() {
      stand(JSON.parse(first) as Choices);
      done();
      again.value = false;
    },
  };
}
