// Where the figures of a past day come from, in words.
import type { Baseline } from "../../api/types.ts";
import { language, t } from "../../words/index.ts";

const DATELESS = ["household", "dwelling", "building", "organization", "resource", "party_member"];

/** What was counted for that day, what was written down on it, and what is counted as recorded today. */
export function pastWords({ kept }: Pick<Baseline, "kept">): string {
  if (!kept) return t("overview.onlyNow");
  const named = (kinds: string[]) => kinds.map((one) => t(`overview.count_${one}`)).join(t("overview.and")).toLowerCase();
  const left = DATELESS.filter((one) => !kept.counts.includes(one));
  const told = [t("overview.keptThen", { what: named(DATELESS.filter((one) => kept.counts.includes(one))), day: kept.day })];
  if (left.length) told.push(t("overview.notKept", { what: named(left) }));
  return [...told, t("overview.keptLists"), t("overview.neverKept")].join(language.value === "en" ? " " : "");
}
