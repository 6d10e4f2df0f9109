// What is put on paper stands in the page first: a list draws all its rows before the browser takes its picture.
import { nextTick } from "vue";

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
