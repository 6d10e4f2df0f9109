// Asking for the purpose of a look (L11), from anywhere.
import { shallowRef } from "vue";

export const purposeAsked = shallowRef<{ title: string; answer: (words: string | null) => void } | null>(null);

/** What somebody says they need it for; null when they turn back. */
export function askPurpose(title: string): Promise<string | null> {
  return new Promise((answer) => (purposeAsked.value = { title, answer }));
}

export function closePurpose(words: string | null): void {
  const asked = purposeAsked.value;
  purposeAsked.value = null;
  asked?.answer(words);
}
