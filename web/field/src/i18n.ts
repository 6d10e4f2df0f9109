// Every word of the app stands once, as a pair: Chinese, English. A pair that lacks one side does not compile.
import type { Labels } from "@shared/engine/index.ts";
import { createI18n } from "vue-i18n";
import app from "./words/app.json";
import find from "./words/find.json";
import home from "./words/home.json";
import record from "./words/record.json";
import start from "./words/start.json";
import survey from "./words/survey.json";
import sync from "./words/sync.json";

export type Language = "zh" | "en";
type Pairs = { [key: string]: readonly string[] | Pairs };
type Messages = { [key: string]: string | Messages };

const PAIRS: Pairs = { app, find, home, record, start, survey, sync };
const KEPT = "dishu-language";

function side(pairs: Pairs, index: 0 | 1): Messages {
  return Object.fromEntries(
    Object.entries(pairs).map(([key, pair]) => [key, Array.isArray(pair) ? (pair[index] as string) : side(pair as Pairs, index)]),
  );
}

function first(): Language {
  try {
    const kept = localStorage.getItem(KEPT);
    if (kept === "zh" || kept === "en") return kept;
  } catch {
    // A browser that keeps nothing: Chinese.
  }
  return "zh";
}

export const i18n = createI18n({
  legacy: false,
  locale: first(),
  fallbackLocale: false,
  messages: { zh: side(PAIRS, 0), en: side(PAIRS, 1) },
});

export const t = i18n.global.t;
/** The language that is shown; reading it in a template follows the switch. */
export function language(): Language {
  return i18n.global.locale.value as Language;
}

/** Switch at once, and remember it. */
export function speak(chosen: Language): void {
  i18n.global.locale.value = chosen;
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
  try {
    localStorage.setItem(KEPT, chosen);
  } catch {
    // It holds until the app is closed.
  }
}

/** A label of a form, a code list or the engine in the language that is shown. */
export function say(labels: Labels | undefined | null): string {
  return labels ? labels[language()] || labels.zh : "";
}
