// Where something stands as it is picked or typed, and the cell that follows (L1), before anything is written.
import type { CellFeature as IndexedCell } from "@shared/engine/reference-types.ts";
import { toCgcs2000, type Datum } from "@shared/geo/datum.ts";
import { CellIndex } from "@shared/geo/locate.ts";
import { baseCells } from "../../../reference.ts";

/** A location as it is written: in the datum in which it was told (L2). */
export interface Anchor {
  lon: number;
  lat: number;
  datum: Datum;
  method: string;
}

/** Degrees as the server will keep them; null where they are none. */
export const keptAt = (anchor: Anchor | null): readonly [lon: number, lat: number] | null =>
  anchor && Math.abs(anchor.lon) <= 180 && Math.abs(anchor.lat) <= 90 ? toCgcs2000(anchor.lon, anchor.lat, anchor.datum) : null;

/** Tells the id of the cell in which something stands; null outside every cell. */
export function cellFinder(): (anchor: Anchor | null) => string | null {
  const index = new CellIndex(baseCells() as unknown as IndexedCell[]);
  return (anchor) => {
    const at = keptAt(anchor);
    return at && index.locate(at[0], at[1]);
  };
}
