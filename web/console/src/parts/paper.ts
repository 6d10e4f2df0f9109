// What is put on paper stands in the page first: a list draws all its rows before the browser takes its picture.
import { nextTick, onBeforeUnmount, onMounted } from "vue";

/** What an A4 sheet is wide between its margins, in pixels of the page, rounded down. */
export const PAPER_PX = 700;

/** Prints the page; the tables are told beforehand, since the browser's own notice comes too late for them to redraw. */
export async function toPaper(): Promise<void> {
  dispatchEvent(new Event("beforeprint"));
  await nextTick();
  window.print();
}

/** Whether these keys ask for paper: Ctrl+P, on a Mac Cmd+P. */
export function asksForPaper(event: KeyboardEvent): boolean {
  return (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "p";
}

/** What a part of the page does before it is put on paper, at once, and what when it is on the screen again. */
export function onPaper(before: () => void, after: () => void): void {
  onMounted(() => {
    addEventListener("beforeprint", before);
    addEventListener("afterprint", after);
  });
  onBeforeUnmount(() => {
    removeEventListener("beforeprint", before);
    removeEventListener("afterprint", after);
  });
}
