// The figures of the community, of now or of a past day, with the cells that they were counted on.
import { computed, onMounted, watch } from "vue";
import { address, get } from "../../api/client.ts";
import type { Baseline, CellFeature } from "../../api/types.ts";
import { overviewOf } from "../../first.ts";
import { useLatest } from "../../latest.ts";
import { baseCells, loadReference, reference } from "../../reference.ts";
import { communityId } from "../../session.ts";

interface Shown {
  baseline: Baseline;
  /** The cells of that day where they were others than today's. */
  cells: CellFeature[] | null;
}

/** `day`: a past day whose truth is shown; null for now. */
export function useBaseline(day: () => string | null) {
  const { value, problem, ask } = useLatest<Shown>();

  function load(): Promise<void> {
    const [community, on] = [communityId.value, day()];
    return ask(`${community} ${on ?? ""}`, async (tell) => {
      const read = loadReference();
      read.catch(() => undefined);
      const path = `/api/v1/communities/${community}`;
      const told = await (on ? get<Baseline>(address(`${path}/overview`, { as_of: on })) : overviewOf(community));
      // Figures stand before the map does, but never on the cells of another edition.
      if (!on) tell({ baseline: told, cells: null });
      const inForce = (await read).edition?.edition_id;
      const other = told.edition && told.edition.edition_id !== inForce;
      tell({ baseline: told, cells: other ? (await get<{ cells: { features: CellFeature[] } }>(`${path}/editions/${told.edition!.edition_id}`)).cells.features : null });
    });
  }
  onMounted(load);
  watch([communityId, day], load);

  const baseline = computed(() => value.value?.baseline ?? null);
  const shapes = computed<CellFeature[]>(() => (reference.value && value.value ? (value.value.cells ?? baseCells()) : []));
  return { baseline, shapes, problem, load };
}
