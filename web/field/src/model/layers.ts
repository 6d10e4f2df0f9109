// What stands before the screen: sheets and questions. The phone's Back closes the topmost of them, and leaves the screen only where none is open.
import { onBeforeUnmount, watch, type Ref } from "vue";
import type { Router, RouterHistory } from "vue-router";

const layers: (() => void)[] = [];
let isBack = false;
/** The program itself steps back: that answers nothing that stands open. */
let isOwn = false;

/** Something stands before the screen from now on; `close` takes it away. What it returns is called once it is gone. */
export function layer(close: () => void): () => void {
  layers.push(close);
  return () => {
    const at = layers.lastIndexOf(close);
    if (at >= 0) layers.splice(at, 1);
  };
}

/** A sheet that is open as long as `open` says so. */
export function useLayer(open: Ref<boolean>): void {
  let gone: (() => void) | null = null;
  const leave = (): void => {
    gone?.();
    gone = null;
  };
  watch(open, (now) => {
    leave();
    if (now) gone = layer(() => (open.value = false));
  }, { immediate: true, flush: "sync" });
  onBeforeUnmount(leave);
}

/** Whether the way that is being gone is the Back key, the gesture, or a button that does the same. */
export const byBack = (): boolean => isBack;

/** The program's own step away from a screen: what stands before the screen goes with it. */
export async function past(step: () => Promise<void>): Promise<void> {
  isOwn = true;
  await step().finally(() => (isOwn = false));
}

/** For a guard that comes before the router's own: whether Back has closed something instead of leaving the screen. */
export function backCloses(): boolean {
  const close = isBack && !isOwn ? layers.at(-1) : undefined;
  close?.();
  return close !== undefined;
}

/** Before the router is installed: it hears of Back first here. */
export function followBack(router: Router, history: RouterHistory): void {
  history.listen((_to, _from, { direction }) => (isBack = String(direction) === "back"));
  router.beforeEach(() => !backCloses());
  router.afterEach((_to, _from, failure) => {
    isBack = false;
    if (!failure) for (const close of [...layers].reverse()) close(); // what belonged to the screen that was left
  });
}
