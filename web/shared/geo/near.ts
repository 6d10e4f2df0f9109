// Cells around a fix: which ones its circle touches, how probable each is, which is nearest. The twin of geo/near.py
// and geo/place.py: a line integral along the border, no sampling, so the same fix always gives the same figures.

import type { Value } from "../engine/types.ts";
import { metresPerDegree, snap, snapDegrees, toCgcs2000, DATUMS, type Datum } from "./datum.ts";
import type { CellIndex } from "./locate.ts";
import type { Shape } from "./shape.ts";

const UNITS_PER_DEGREE = 10_000_000;
const SIGMAS_OF_R95 = Math.sqrt(-2 * Math.log(0.05));
const SCALE_68_TO_95 = Math.sqrt(Math.log(0.05) / Math.log(0.32));
const UNKNOWN_GPS_RADIUS_M = 50;
const REACH_SIGMAS = 9;
const PANELS = 12;
// Gauss-Legendre, six nodes.
const NODES = [-0.932469514203152, -0.6612093864662645, -0.23861918608319693, 0.23861918608319693, 0.6612093864662645, 0.932469514203152];
const WEIGHTS = [0.17132449237916975, 0.36076157304813894, 0.46791393457269137, 0.46791393457269137, 0.36076157304813894, 0.17132449237916975];

/** What a fix allows to say about its cell. */
export interface Placed {
  cellId: string | null;
  decision: "inside" | "tie_rule" | "outside";
  candidates: readonly { cellId: string; probability: number }[];
  nearest: { cellId: string; metres: number } | null;
}

/** Edges of a cell in metres around a point, in the plane of the cell's middle latitude: x1, y1, x2, y2. */
function around(shape: Shape, x: number, y: number): Float64Array {
  const [eastM, northM] = metresPerDegree((shape.south + shape.north) / 2 / UNITS_PER_DEGREE);
  const edges = new Float64Array(shape.edges.length);
  for (let k = 0; k < edges.length; k += 2) {
    edges[k] = (((shape.edges[k] as number) - x) * eastM) / UNITS_PER_DEGREE;
    edges[k + 1] = (((shape.edges[k + 1] as number) - y) * northM) / UNITS_PER_DEGREE;
  }
  return edges;
}

/** Metres from a point on the grid to a cell; 0 inside. */
function distanceM(shape: Shape, x: number, y: number): number {
  if (shape.covers(x, y)) return 0;
  const edges = around(shape, x, y);
  let best = Infinity;
  for (let k = 0; k < edges.length; k += 4) {
    const [ax, ay, bx, by] = [edges[k], edges[k + 1], edges[k + 2], edges[k + 3]] as unknown as [number, number, number, number];
    const [dx, dy] = [bx - ax, by - ay];
    const share = Math.min(1, Math.max(0, -(ax * dx + ay * dy) / (dx * dx + dy * dy)));
    best = Math.min(best, Math.hypot(ax + share * dx, ay + share * dy));
  }
  return best;
}

const angle = (apart: number, begin: number, end: number): number => Math.atan2(apart * (end - begin), apart ** 2 + begin * end);
const clip = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

/** Share of a circular normal error around a point that falls in a cell, 0 to 1. */
function share(shape: Shape, x: number, y: number, radiusM95: number): number {
  const sigma = radiusM95 / SIGMAS_OF_R95;
  const edges = around(shape, x, y);
  let total = 0;
  for (let k = 0; k < edges.length; k += 4) {
    const [ax, ay, bx, by] = [edges[k], edges[k + 1], edges[k + 2], edges[k + 3]].map((metres) => (metres as number) / sigma) as [number, number, number, number];
    const length = Math.hypot(bx - ax, by - ay);
    if (length === 0) continue;
    const [ux, uy] = [(bx - ax) / length, (by - ay) / length];
    const begin = ax * ux + ay * uy;
    const end = begin + length;
    const apart = ax * uy - ay * ux;
    const window = Math.sqrt(Math.max(REACH_SIGMAS ** 2 - apart ** 2, 0));
    const [low, high] = [Math.max(begin, -window), Math.min(end, window)];
    if (high <= low) {
      total += angle(apart, begin, end); // far from the centre the whole angle counts
      continue;
    }
    total += angle(apart, begin, clip(-window, begin, end)) + angle(apart, clip(window, begin, end), end);
    const width = (high - low) / PANELS;
    let sum = 0;
    for (let panel = 0; panel < PANELS; panel++) {
      for (let node = 0; node < 6; node++) {
        const s = low + width * (panel + 0.5) + (width / 2) * (NODES[node] as number);
        const half = (s ** 2 + apart ** 2) / 2;
        sum += (half > 0 ? -Math.expm1(-half) / (2 * half) : 0.5) * (WEIGHTS[node] as number);
      }
    }
    total += ((sum * width) / 2) * apart;
  }
  return clip(total / (2 * Math.PI), 0, 1);
}

/** Cells that the 95 % circle touches, most probable first; probabilities are rounded to six decimals. */
export function candidates(index: CellIndex, lon: number, lat: number, radiusM95: number): { cellId: string; probability: number }[] {
  const [x, y] = [snap(lon), snap(lat)];
  return index.shapes
    .flatMap((shape, position) => {
      if (radiusM95 <= 0) return shape.covers(x, y) && position === index.position(lon, lat) ? [{ position, probability: 1 }] : [];
      if (distanceM(shape, x, y) > radiusM95) return [];
      return [{ position, probability: Math.round(share(shape, x, y, radiusM95) * 1e6) / 1e6 }];
    })
    .sort((one, two) => two.probability - one.probability || one.position - two.position)
    .map((one) => ({ cellId: index.cells[one.position]?.properties.cell_id as string, probability: one.probability }));
}

/** The nearest cell and its distance, 0 inside; the first in tie order when equally near; null without cells. */
export function nearest(index: CellIndex, lon: number, lat: number): { cellId: string; metres: number } | null {
  const [x, y] = [snap(lon), snap(lat)];
  let best: { cellId: string; metres: number } | null = null;
  index.shapes.forEach((shape, position) => {
    const metres = distanceM(shape, x, y);
    if (best === null || metres < best.metres) best = { cellId: index.cells[position]?.properties.cell_id as string, metres };
  });
  return best;
}

/** The 95 % radius in metres of a location; 68 % radii are scaled, an unknown one of a phone is taken as 50 m. */
export function radiusM95(location: Readonly<Record<string, Value>>): number {
  const accuracyM = typeof location["accuracy_m"] === "number" ? location["accuracy_m"] : 0;
  const method = location["method"] ?? null;
  if (accuracyM <= 0) return method === null || method === "gps" ? UNKNOWN_GPS_RADIUS_M : 0;
  return location["confidence"] === 0.95 ? accuracyM : accuracyM * SCALE_68_TO_95;
}

/** Where a location value (of any datum, or canonical) lies; null where it is none. */
export function place(index: CellIndex, location: Value): Placed | null {
  if (typeof location !== "object" || location === null || Array.isArray(location)) return null;
  const given = location as Record<string, Value>;
  const { lon, lat, datum } = given;
  if (typeof lon !== "number" || typeof lat !== "number" || !DATUMS.includes(datum as Datum)) return null;
  const pair = given["converter"] === undefined ? toCgcs2000(lon, lat, datum as Datum) : ([lon, lat] as const);
  const [atLon, atLat] = [snapDegrees(pair[0]), snapDegrees(pair[1])];
  if (!Number.isFinite(atLon) || !Number.isFinite(atLat)) return null;
  const cellId = index.locate(atLon, atLat);
  const isFinal = given["method"] === "survey" || given["method"] === "map_pick";
  const radius = isFinal ? 0 : radiusM95(given);
  const touched = radius > 0 ? candidates(index, atLon, atLat, radius) : [];
  return {
    cellId,
    decision: cellId === null ? "outside" : index.covering(atLon, atLat) > 1 ? "tie_rule" : "inside",
    candidates: touched.length > 1 || cellId === null ? touched : [],
    nearest: cellId === null ? nearest(index, atLon, atLat) : null,
  };
}
