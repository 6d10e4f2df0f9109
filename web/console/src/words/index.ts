// The language of the screen, and words in it.
import { createI18n } from "vue-i18n";
import { computed } from "vue";
import type { Label } from "../api/types.ts";
import { WORDS } from "./all.ts";

export type Language = "zh-CN" | "en";
const KEPT = "dishu.language";

function side(place: 0 | 1): Record<string, Record<string, string>> {
  const made: Record<string, Record<string, string>> = {};
  for (const [area, words] of Object.entries(WORDS)) {
    made[area] = Object.fromEntries(Object.entries(words).map(([key, pair]) => [key, pair[place]]));
  }
  return made;
}

function first(): Language {
  const kept = localStorage.getItem(KEPT);
  if (kept === "en" || kept === "zh-CN") return kept;
  return navigator.language.startsWith("zh") ? "zh-CN" : navigator.language.startsWith("en") ? "en" : "zh-CN";
}

export const i18n = createI18n({
  legacy: false,
  locale: first(),
  fallbackLocale: "zh-CN",
  messages: { "zh-CN": side(0), en: side(1) },
});

export const language = computed<Language>(() => (i18n.global.locale.value === "en" ? "en" : "zh-CN"));

/** Switch at once, and remember it on this computer. */
export function speak(wanted: Language): void {
  i18n.global.locale.value = wanted;
  localStorage.setItem(KEPT, wanted);
  document.documentElement.lang = wanted;
}

export const t = (key: string, values: Record<string, unknown> = {}): string => i18n.global.t(key, values);

/** What stands between the parts of a line, as the language writes it. */
export const comma = (): string => t("common.comma");
export const semicolon = (): string => t("common.semicolon");
export const colon = (): string => t("common.colon");

/** A pair of words from the server in the language of the screen. */
export function say(label: Label | null | undefined, fallback = ""): string {
  if (!label) return fallback;
  return (language.value === "en" ? label.en : label.zh) || label.zh || fallback;
}

/** A word that may be missing: codes of later servers are shown as they are. */
export function word(key: string, fallback: string): string {
  return i18n.global.te(key, "zh-CN") ? t(key) : fallback;
}
