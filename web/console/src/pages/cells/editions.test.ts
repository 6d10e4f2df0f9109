import { expect, test } from "vitest";
import type { CellFeature } from "../../api/types.ts";
import { mended, type Repair } from "./editions.ts";

const square = (west: number) => ({ type: "Polygon" as const, coordinates: [[[west, 0], [west + 1, 0], [west + 1, 1], [west, 1], [west, 0]]] });
const cells = [1, 2].map((n) => ({ type: "Feature", id: `c${n}`, properties: { code: "002", name: `第${n}网格` }, geometry: square(n) })) as unknown as CellFeature[];

test("a proposed repair is shown on the cells that it changes, before it is made; not on another one with the same code", () => {
  const repair = { repair_id: "r", kind: "ring", cells: ["002"], largest_area_change_m2: 1, changes: [{ cell_id: "c2", cell: "002", after: square(9) }], zh: "", en: "" } as unknown as Repair;
  const shown = mended(cells, repair);
  expect(shown[0]).toBe(cells[0]);
  expect(shown[1]).toEqual({ ...cells[1], geometry: square(9) });
  expect(mended(cells, null)).toBe(cells);
});
