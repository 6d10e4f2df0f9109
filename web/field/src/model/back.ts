// Leaving a screen: to where one came from, and only once.
import type { RouteLocationRaw, Router } from "vue-router";
import { past } from "./layers.ts";

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

/** Whether the person still stands `here`: where they have gone on already, a step of ours would take them out of what they do now. */
const isAt = (router: Router, here: string): boolean => router.currentRoute.value.fullPath === here;

/** Back from `here`, its work being kept. */
export async function backFrom(router: Router, here: string): Promise<void> {
  if (isAt(router, here)) await past(() => stepBack(router));
}

/** On from `here`, its work being kept, to what takes its place; whether they went. */
export async function onFrom(router: Router, here: string, to: RouteLocationRaw): Promise<boolean> {
  if (underway || !isAt(router, here)) return false;
  await router.replace(to);
  return true;
}
