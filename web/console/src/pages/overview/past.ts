// Where the figures of a past day come from, in words.
import type { Baseline, BaselineFigures } from "../../api/types.ts";
import { language, t } from "../../words/index.ts";

const DATELESS = ["household", "dwelling", "building", "organization", "resource", "party_member"];

/**
 * What was counted for that day, what was written down on it, and what is counted as recorded today. Stale records and two values are
 * named to those alone who are shown them: who reads no people's records is not.
 */
export function pastWords({ kept, total }: Pick<Baseline, "kept"> & { total: Pick<BaselineFigures, "freshness_buckets"> }): string {
  if (!kept) return t("overview.onlyNow");
  const named = (kinds: string[]) => kinds.map((one) => t(`overview.count_${one}`)).join(t("overview.and")).toLowerCase();
  const left = DATELESS.filter((one) => !kept.counts.includes(one));
  const told = [t(total.freshness_buckets ? "overview.keptThen" : "overview.keptThenPlaces", { what: named(DATELESS.filter((one) => kept.counts.includes(one))), day: kept.day })];
  if (left.length) told.push(t("overview.notKept", { what: named(left) }));
  return [...told, t("overview.keptLists"), t("overview.neverKept")].join(language.value === "en" ? " " : "");
}
