import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { CellFeature } from "../engine/reference-types.ts";
import type { Fields } from "../engine/types.ts";
import { vectors } from "../vectors.ts";
import { fromCgcs2000, metresPerDegree, toCgcs2000, type Pair } from "./datum.ts";
import { CellIndex } from "./locate.ts";
import { place } from "./near.ts";

interface Ground {
  cells: CellFeature[];
  points: [number, number, string | null][];
  fixes: {
    fix: Fields;
    cgcs2000: Pair;
    cell_id: string | null;
    decision: string;
    candidates: [string, number][];
    nearest: [string, number] | null;
  }[];
}

interface Corpus {
  name: string;
  cells: { cell_id: string; code: string; order: number; geometry: CellFeature["geometry"] }[];
  points: { lon: number; lat: number; cell_id: string | null }[];
}

const feature = (cell: Corpus["cells"][number]): CellFeature =>
  ({ type: "Feature", id: cell.cell_id, geometry: cell.geometry, properties: cell }) as unknown as CellFeature;

const metres = (one: Pair, two: Pair): number => {
  const [east, north] = metresPerDegree(one[1]);
  return Math.hypot((one[0] - two[0]) * east, (one[1] - two[1]) * north);
};

test.each(["borders", "corners", "holes", "snapping"].flatMap((name) => vectors<Corpus[]>(`locate/${name}.json`)))(
  "a point has the one cell that the shared cases say, whatever the order of the cells: $name",
  ({ cells, points }) => {
    for (const features of [cells, [...cells].reverse()].map((list) => list.map(feature))) {
      const index = new CellIndex(features);
      for (const point of points) expect([point, index.locate(point.lon, point.lat)]).toStrictEqual([point, point.cell_id]);
    }
  },
);

/** The committed ground, or a larger one that the Python side has just made. */
function ground(): Ground {
  const path = process.env["DISHU_WEB_GROUND"];
  return path ? (JSON.parse(readFileSync(path, "utf8")) as Ground) : vectors<Ground>("place/generated.json");
}

// A million points, read from a file, on a machine that does other things too.
const LONG_MS = 300_000;

test("random and adversarial points have the same cell on the phone as on the server", () => {
  const { cells, points } = ground();
  const index = new CellIndex(cells);
  const different = points.filter(([lon, lat, cellId]) => index.locate(lon, lat) !== cellId);
  expect(different).toStrictEqual([]);
  expect(new CellIndex([]).locate(120.62, 31.3)).toBeNull();
  expect(index.locate(Number.NaN, 31.3)).toBeNull();
}, LONG_MS);

test("a fix has the same cell, candidates and probabilities on the phone as on the server", () => {
  const { cells, fixes } = ground();
  const index = new CellIndex(cells);
  for (const one of fixes) {
    const placed = place(index, one.fix);
    expect(placed?.cellId).toBe(one.cell_id);
    expect(placed?.decision).toBe(one.decision);
    expect(placed?.candidates.map((found) => found.cellId)).toStrictEqual(one.candidates.map(([cellId]) => cellId));
    placed?.candidates.forEach((found, at) => expect(found.probability).toBeCloseTo(one.candidates[at]?.[1] as number, 5));
    expect(placed?.nearest?.cellId ?? null).toBe(one.nearest?.[0] ?? null);
    if (one.nearest) expect(placed?.nearest?.metres).toBeCloseTo(one.nearest[1], 3);
    const { lon, lat, datum } = one.fix as { lon: number; lat: number; datum: "gcj02" };
    expect(metres(toCgcs2000(lon, lat, datum), one.cgcs2000)).toBeLessThan(1e-4);
    expect(metres(fromCgcs2000(...one.cgcs2000, datum), [lon, lat])).toBeLessThan(1e-3);
  }
}, LONG_MS);

test("cities stand where an outside implementation puts them", () => {
  const { places, tolerance_m: tolerance } = vectors<{ places: Record<string, Pair>[]; tolerance_m: Record<string, number> }>("datum/cities_excerpt.json");
  for (const city of places) {
    expect(metres(fromCgcs2000(...(city["wgs84"] as Pair), "gcj02"), city["gcj02"] as Pair)).toBeLessThan(tolerance["wgs84_gcj02"] as number);
    expect(metres(fromCgcs2000(...(city["wgs84"] as Pair), "bd09"), city["bd09"] as Pair)).toBeLessThan(tolerance["wgs84_bd09"] as number);
  }
});
