// Who knows a fact, how and since when, in one line.
import type { FactUnit } from "../../api/records.ts";
import { ago, who } from "../../tell.ts";
import { t, word } from "../../words/index.ts";

export function knownText(unit: FactUnit): string {
  if (!unit.known) return "";
  return t("records.known", { who: who(unit.known.by), how: word(`records.source_${unit.known.source}`, unit.known.source), at: ago(unit.known.claimed_at ?? unit.known.at) });
}

/** What most facts of a card say about themselves: told once at its head. */
export function usualKnown(units: FactUnit[]): string {
  const counts = new Map<string, number>();
  for (const unit of units) if (knownText(unit)) counts.set(knownText(unit), (counts.get(knownText(unit)) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
}
