// A file for the person, as the browser saves files.
import { dayAt } from "@shared/forms/days.ts";

/** Saves bytes among the downloads, named by the day. */
export function saveFile(bytes: Uint8Array, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: "application/octet-stream" }));
  link.download = `${name}-${dayAt(Date.now())}.bin`;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
