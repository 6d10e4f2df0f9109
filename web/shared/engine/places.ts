// The cells on this phone, ready to be asked.

import { CellIndex } from "../geo/locate.ts";
import type { Reference } from "./reference-types.ts";

export type { CellIndex };

/** The cells of the edition in force. */
export function cellsOf(reference: Reference | undefined): CellIndex | null {
  const edition = reference?.edition?.edition_id;
  return reference ? new CellIndex(reference.cells.features.filter((cell) => edition === undefined || cell.properties.edition_id === edition)) : null;
}
