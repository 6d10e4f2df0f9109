import { numeric } from "@shared/engine/numeric.ts";

/** `2` before `10`, whatever stands around the number. */
export const byNumber = (a: string, b: string): number => numeric().compare(a, b);

/** Thousands of texts in the order of `byNumber`: a key for each, to be compared with `<`. Every word is looked at once, and few differ. */
export function orderKeys(texts: readonly string[]): Map<string, string> {
  const parts = new Map<string, string[]>();
  for (const text of texts) if (!parts.has(text)) parts.set(text, text.split(/(\d+)/));
  const words = new Set<string>();
  for (const split of parts.values()) for (let at = 0; at < split.length; at += 2) words.add(split[at] as string);
  const ranks = new Map([...words].sort(numeric().compare).map((word, at) => [word, String(at).padStart(6, "0")]));
  const keys = new Map<string, string>();
  for (const [text, split] of parts) keys.set(text, split.map((part, at) => (at % 2 ? part.padStart(12, "0") : ranks.get(part))).join(""));
  return keys;
}
