// What the keyboard and a screen reader work with while something stands before the screen: it goes in, stays in, and comes back.
import { nextTick, onBeforeUnmount, watch, type Ref } from "vue";

const REACHED = "a[href], button:not([disabled]), input:not([disabled]), select, textarea, [tabindex]:not([tabindex='-1'])";

/** `inside`: an element of the dialog, once it is drawn. What comes back is for its keys: Tab goes round in it, Escape closes it. */
export function useHeldFocus(open: Ref<boolean>, inside: () => HTMLElement | null): (event: KeyboardEvent) => void {
  let opener: HTMLElement | null = null;
  const root = (): HTMLElement | null => inside()?.closest<HTMLElement>("[role=dialog]") ?? null;
  async function goIn(): Promise<void> {
    const from = document.activeElement;
    opener = from instanceof HTMLElement && from !== document.body ? from : null;
    await nextTick();
    // the dialog itself, whose name is read out then: an input would bring up the keyboard over it
    if (open.value && !root()?.contains(document.activeElement)) root()?.focus({ preventScroll: true });
  }
  function goBack(): void {
    const from = document.activeElement;
    if (opener?.isConnected && (from === null || from === document.body || root()?.contains(from))) opener.focus({ preventScroll: true });
    opener = null;
  }
  watch(open, (now) => (now ? void goIn() : goBack()), { immediate: true, flush: "sync" });
  onBeforeUnmount(goBack);
  return (event) => {
    if (event.key === "Escape" && !event.isComposing) open.value = false;
    if (event.key !== "Tab") return;
    const reached = [...(root()?.querySelectorAll<HTMLElement>(REACHED) ?? [])].filter((one) => one.checkVisibility?.() ?? true);
    const [first, last] = [reached[0], reached.at(-1)];
    const at = document.activeElement;
    const next = event.shiftKey ? (at === first || at === root() ? last : null) : at === last ? first : null;
    if (!next && reached.length) return;
    event.preventDefault();
    next?.focus();
  };
}
