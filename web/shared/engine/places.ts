// The cells on this phone, ready to be asked.

import { CellIndex } from "../geo/locate.ts";
import { place } from "../geo/near.ts";
import type { Reference } from "./reference-types.ts";
import type { PlaceGuess, Value } from "./types.ts";

/** The cells of the edition in force; made when they are first asked. */
export class Places {
  private made: { of: Reference; cells: CellIndex } | null = null;

  constructor(private readonly reference: () => Reference | undefined) {}

  private cells(): CellIndex | null {
    const of = this.reference();
    if (!of) return null;
    const edition = of.edition?.edition_id;
    if (this.made?.of !== of) this.made = { of, cells: new CellIndex(of.cells.features.filter((cell) => edition === undefined || cell.properties.edition_id === edition)) };
    return this.made.cells;
  }

  locate = (lon: number, lat: number): string | null => this.cells()?.locate(lon, lat) ?? null;

  place(fix: Value): PlaceGuess | null {
    const cells = this.cells();
    return cells ? place(cells, fix) : null;
  }
}
