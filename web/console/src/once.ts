// A second tap on what writes is no second writing.
import { ref } from "vue";

/** One act at a time: while one is under way no other is begun, and `busy` says so on the screen. What fails is told by the act itself. */
export function useOnce() {
  const busy = ref(false);

  async function once(act: () => Promise<unknown>): Promise<void> {
    if (busy.value) return;
    busy.value = true;
    try {
      await act();
    } finally {
      busy.value = false;
    }
  }

  return { busy, once };
}
