// How it stands with trying PINs: wrong ones slow down, then lock; a wait goes on where it was after a restart.
import type { UnlockResult } from "@shared/engine/index.ts";
import { onBeforeUnmount, ref, type Ref } from "vue";
import { t } from "../i18n.ts";
import { engine } from "../session.ts";

export function useTries(): { waitS: Ref<number>; lockedOut: Ref<boolean>; took: (result: UnlockResult) => string } {
  const waitS = ref(0);
  const lockedOut = ref(false);
  /** Takes a result over; what it means in words, none where the PIN was right or nobody looked at it. */
  function took(result: UnlockResult): string {
    waitS.value = Math.ceil(result.waitS);
    lockedOut.value = result.lockedOut;
    return result.ok || !result.looked ? "" : t("start.unlock.wrong", { n: result.triesLeft });
  }
  const standing = engine().tries();
  if (standing) took(standing);
  const timer = window.setInterval(() => (waitS.value = Math.max(0, waitS.value - 1)), 1000);
  onBeforeUnmount(() => window.clearInterval(timer));
  return { waitS, lockedOut, took };
}

/** Whether anybody would try it first. */
export const tooEasy = (pin: string): boolean => /^(.)\1+$/.test(pin) || pin === "123456";
