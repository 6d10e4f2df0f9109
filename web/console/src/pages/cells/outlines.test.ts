import { expect, test } from "vitest";
import { readOutlines } from "./outlines.ts";
import { toUnits } from "./topology.ts";

const file = { type: "FeatureCollection", features: [{ geometry: { type: "Polygon", coordinates: [[[120.6, 31.3], [120.601, 31.3], [120.601, 31.301], [120.6, 31.3]]] } }] };

test("outlines are snapped to where they stand on the ground, whatever datum the file has", () => {
  const plain = readOutlines(file, "cgcs2000")[0]!;
  expect(plain).toHaveLength(3);
  expect(plain[0]).toEqual({ x: toUnits(120.6), y: toUnits(31.3) });
  const shifted = readOutlines(file, "gcj02")[0]![0]!;
  expect(Math.abs(shifted.x - plain[0]!.x)).toBeGreaterThan(10_000); // hundreds of metres, in units of 1e-7 degree
});
