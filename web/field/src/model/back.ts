// Leaving a screen when its work is kept: to where one came from, and only once.
import type { Router } from "vue-router";

/**
 * Back from `here`, done when the other screen stands. Nothing happens where the person has gone on already: a step back
 * would take them out of what they do now. The first screen of a link leads home.
 */
export async function backFrom(router: Router, here: string): Promise<void> {
  if (router.currentRoute.value.fullPath !== here) return;
  if (!window.history.state?.back) {
    await router.replace("/");
    return;
  }
  await new Promise<void>((resolve) => {
    const off = router.afterEach(() => {
      off();
      resolve();
    });
    router.back();
  });
}
