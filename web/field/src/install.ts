// Putting the app on the home screen, where the browser lets a page ask for it.
import { ref, shallowRef } from "vue";

interface InstallEvent extends Event {
  prompt(): Promise<void>;
}

/** The browser's offer to install; null where there is none (yet). */
export const offer = shallowRef<InstallEvent | null>(null);
export const installed = ref(window.matchMedia("(display-mode: standalone)").matches);

window.addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  offer.value = event as InstallEvent;
});
window.addEventListener("appinstalled", () => {
  installed.value = true;
  offer.value = null;
});

/** Ask the browser to install. */
export async function install(): Promise<void> {
  await offer.value?.prompt();
  offer.value = null;
}
