// What is still being made for a form, as a photo that is made small: it belongs to what is saved, and is waited for.
import { inject, provide, readonly, ref, type InjectionKey, type Ref } from "vue";

/** What was begun; it resolves to whether it came. */
type Making = (work: Promise<boolean>) => void;
const COMING: InjectionKey<Making> = Symbol("coming");

interface Coming {
  /** Resolves, never rejects, once nothing is being made any more: whether all of it came. Its input says what did not, and is to be seen then. */
  everything(): Promise<boolean>;
  /** Somebody waits for what is being made: it is said, or a tap would seem to have met nothing. */
  isAwaited: Readonly<Ref<boolean>>;
}

/** For the form. */
export function useComing(): Coming {
  const isAwaited = ref(false);
  const works = new Set<Promise<boolean>>();
  provide(COMING, (work) => {
    const over = (): void => void works.delete(work);
    works.add(work);
    work.then(over, over);
  });
  async function everything(): Promise<boolean> {
    isAwaited.value = works.size > 0;
    let all = true;
    while (works.size) all = (await Promise.allSettled(works)).every((one) => one.status === "fulfilled" && one.value) && all;
    isAwaited.value = false;
    return all;
  }
  return { everything, isAwaited: readonly(isAwaited) };
}

/** For an input: tells the form that it stands in of what it begins to make; nobody waits where it stands in none. */
export const useMaking = (): Making => inject(COMING, () => undefined);
