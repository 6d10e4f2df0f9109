// The service worker keeps the program on the phone. A newer one waits until the person takes it.
import { ref } from "vue";
import { Workbox } from "workbox-window";

/** A newer program is on the phone and waits. */
export const updateWaits = ref(false);
/** The program is kept on the phone: from now on it starts without a network. */
export const keptOnPhone = ref(false);

let worker: Workbox | null = null;

/** Begin keeping the program; where the browser cannot, the app works as a page. */
export async function keepProgram(): Promise<void> {
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return;
  worker = new Workbox("/field/sw.js", { scope: "/field/" });
  worker.addEventListener("waiting", () => (updateWaits.value = true));
  try {
    await worker.register();
    await navigator.serviceWorker.ready;
    keptOnPhone.value = true;
    // An app that stays open for days asks again whenever it comes to the front.
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && navigator.onLine) void worker?.update().catch(() => undefined);
    });
  } catch {
    // A phone without room, or a browser that forbids it: the next start tries again.
  }
}

/** Take the newer program: the app starts again with it. What was written stays: it is in the log. */
export function takeUpdate(): void {
  worker?.addEventListener("controlling", () => window.location.reload());
  worker?.messageSkipWaiting();
}
