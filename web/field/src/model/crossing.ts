// Moves to another community of the house: asked for here, accepted there (docs/protocol.md, S30).
import { computed, type ComputedRef } from "vue";
import { t } from "../i18n.ts";
import { engine, reference } from "../session.ts";
import { fromRecords } from "./use.ts";

/** That a move of this record was asked for and is not decided yet, in words; null where none was. */
export function useCrossing(id: () => string): ComputedRef<string | null> {
  const asked = fromRecords(() => engine().operations({ recordId: id(), onlyOpen: true }).find((one) => one.id === id() && one.crossingTo !== null) ?? null);
  return computed(() => {
    if (!asked.value?.crossingAt) return null;
    const where = reference.value?.others?.find((one) => one.community_id === asked.value?.crossingTo)?.name ?? t("record.away.elsewhere");
    return t(`record.away.asked.${asked.value.crossingAt}`, { where });
  });
}
