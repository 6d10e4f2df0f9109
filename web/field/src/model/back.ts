// Leaving a screen: to where one came from, and only once.
import type { Router } from "vue-router";

let underway: Promise<void> | null = null;

/** One step back, done when the other screen stands; asked for again before that it is the same step. The first screen of a link leads home. */
export function stepBack(router: Router): Promise<void> {
  underway ??= step(router).finally(() => (underway = null));
  return underway;
}
async function step(router: Router): Promise<void> {
  if (!window.history.state?.back) {
    await router.replace("/");
    return;
  }
  await new Promise<void>((resolve) => {
    const offs = [router.afterEach(over), router.onError(over)];
    function over(): void {
      for (const off of offs) off();
      resolve();
    }
    router.back();
  });
}

/** Back from `here`, its work being kept. Nothing happens where the person has gone on already: a step back would take them out of what they do now. */
export async function backFrom(router: Router, here: string): Promise<void> {
  if (router.currentRoute.value.fullPath === here) await stepBack(router);
}
