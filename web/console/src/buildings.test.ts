import { expect, test } from "vitest";
import type { CellFeature } from "./api/types.ts";
import { boxOf } from "./buildings.ts";

const cell = (coordinates: unknown) => ({ type: "Feature", id: "c", properties: {}, geometry: { type: "Polygon", coordinates } }) as unknown as CellFeature;

test("houses are asked for within all cells of the community, whatever their shapes; without cells there is no place to ask for", () => {
  const plain = cell([[[120.1, 31.2], [120.3, 31.2], [120.2, 31.4], [120.1, 31.2]]]);
  const many = cell([[[[120.5, 31.1], [120.6, 31.1], [120.6, 31.15], [120.5, 31.1]]]]);
  expect(boxOf([plain])).toEqual([120.1, 31.2, 120.3, 31.4]);
  expect(boxOf([plain, many])).toEqual([120.1, 31.1, 120.6, 31.4]);
  expect(boxOf([])).toBeNull();
});
