// What is still being made for a form, as a photo that is made small: it belongs to what is saved, and is waited for.
import { inject, provide, type InjectionKey } from "vue";

type Coming = (work: Promise<unknown>) => void;
const COMING: InjectionKey<Coming> = Symbol("coming");

/** For the form: resolves, never rejects, once nothing is being made any more. */
export function useComing(): () => Promise<void> {
  const works = new Set<Promise<unknown>>();
  provide(COMING, (work) => {
    const over = (): void => void works.delete(work);
    works.add(work);
    work.then(over, over);
  });
  return async () => {
    while (works.size) await Promise.allSettled(works);
  };
}

/** For an input: tells the form that it stands in of what it begins to make; nobody waits where it stands in none. */
export const useMaking = (): Coming => inject(COMING, () => undefined);
