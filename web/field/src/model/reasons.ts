// Why a household is due, in words: `80岁以上独居，每7天；上次2026-11-10`.
import { say, t } from "../i18n.ts";
import { visitRules, type Door } from "./day.ts";

/** The rule that a household follows, when it was seen last, and when to try after failed attempts; nothing for an ordinary one. */
export function reasonWords(door: Door): string {
  const { group, every_days, last_on, attempts, band } = door.stands;
  const rules = visitRules();
  const known = rules.groups.find((one) => one.name === group);
  const parts: string[] = [];
  if (known && Object.keys(known.when).length) parts.push(t(every_days === 1 ? "home.daily" : "home.rule", { who: say(known.label), n: every_days }) + (last_on ? t("home.lastOn", { day: last_on.replaceAll("-", "\u2011") }) : ""));
  if (attempts > 0) {
    const at = rules.bands.find((one) => one.name === band);
    parts.push(t("home.tried", { n: attempts }) + (at ? t("home.tryAt", { when: say(at.label) }) : ""));
  }
  return parts.join(" · ");
}
