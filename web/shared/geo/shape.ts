// One cell on the grid of 1e-7 degree: its rings as edges, and the exact question whether it covers a point.

import type { CellFeature } from "../engine/reference-types.ts";
import { snap } from "./datum.ts";

const BANDS = 32;

/** Sign of the turn a → b → p: > 0 left, < 0 right, 0 on the line. Exact on whole units below 2^31. */
function turn(ax: number, ay: number, bx: number, by: number, px: number, py: number): number {
  const first = (bx - ax) * (py - ay);
  const second = (by - ay) * (px - ax);
  if (Math.abs(first) < 2 ** 53 && Math.abs(second) < 2 ** 53) return first - second;
  const exact = BigInt(bx - ax) * BigInt(py - ay) - BigInt(by - ay) * BigInt(px - ax);
  return exact > 0n ? 1 : exact < 0n ? -1 : 0;
}

/** Outline of one cell. Rings: outer ones counter-clockwise, holes clockwise, as [x, y, x, y …], closed. */
export class Shape {
  readonly west: number;
  readonly south: number;
  readonly east: number;
  readonly north: number;
  /** Edges as x1, y1, x2, y2. */
  readonly edges: Float64Array;
  /** The edges that reach into each band of the box, band after band, and where in them each band begins. */
  private readonly banded: Float64Array;
  private readonly starts: Int32Array;
  private readonly bandHeight: number;

  constructor(geometry: CellFeature["geometry"]) {
    const parts = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
    const edges: number[] = [];
    for (const rings of parts) {
      rings.forEach((ring, at) => {
        const points = ring.map(([lon, lat]) => [snap(lon as number), snap(lat as number)] as const);
        let area = 0;
        for (let k = 1; k < points.length; k++) {
          const [one, two] = [points[k - 1] as readonly [number, number], points[k] as readonly [number, number]];
          const [x0, y0] = points[0] as readonly [number, number];
          area += (one[0] - x0) * (two[1] - y0) - (two[0] - x0) * (one[1] - y0);
        }
        if (area > 0 !== (at === 0)) points.reverse();
        for (let k = 1; k < points.length; k++) {
          const [one, two] = [points[k - 1] as readonly [number, number], points[k] as readonly [number, number]];
          if (one[0] !== two[0] || one[1] !== two[1]) edges.push(one[0], one[1], two[0], two[1]);
        }
      });
    }
    this.edges = Float64Array.from(edges);
    let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let k = 0; k < edges.length; k += 4) {
      west = Math.min(west, edges[k] as number);
      east = Math.max(east, edges[k] as number);
      south = Math.min(south, edges[k + 1] as number);
      north = Math.max(north, edges[k + 1] as number);
    }
    [this.west, this.south, this.east, this.north] = [west, south, east, north];
    this.bandHeight = Math.max(1, Math.ceil((north - south + 1) / BANDS));
    const bands: number[][] = Array.from({ length: BANDS }, () => []);
    for (let k = 0; k < edges.length; k += 4) {
      const low = Math.min(edges[k + 1] as number, edges[k + 3] as number);
      const high = Math.max(edges[k + 1] as number, edges[k + 3] as number);
      for (let band = this.band(low); band <= this.band(high); band++) bands[band]?.push(...edges.slice(k, k + 4));
    }
    this.banded = Float64Array.from(bands.flat());
    this.starts = new Int32Array(BANDS + 1);
    bands.forEach((band, at) => (this.starts[at + 1] = (this.starts[at] as number) + band.length));
  }

  private band(y: number): number {
    return Math.floor((y - this.south) / this.bandHeight);
  }

  /** Whether a point on the grid lies in the cell or on its border (a hole's border too). */
  covers(x: number, y: number): boolean {
    if (!(x >= this.west && x <= this.east && y >= this.south && y <= this.north)) return false;
    const { banded, starts } = this;
    const band = this.band(y);
    const end = starts[band + 1] as number;
    let isInside = false;
    for (let k = starts[band] as number; k < end; k += 4) {
      const ax = banded[k] as number;
      const bx = banded[k + 2] as number;
      if (ax < x && bx < x) continue;
      const ay = banded[k + 1] as number;
      const by = banded[k + 3] as number;
      // the ray to the east: an edge counts from its lower end up to, not with, its upper end
      const isCrossed = ay <= y !== by <= y;
      if (ax > x && bx > x) {
        if (isCrossed) isInside = !isInside;
        continue;
      }
      if ((ay > y && by > y) || (ay < y && by < y)) continue;
      const side = turn(ax, ay, bx, by, x, y);
      if (side === 0) {
        if (x <= Math.max(ax, bx) && x >= Math.min(ax, bx)) return true;
      } else if (isCrossed && side > 0 === by > ay) isInside = !isInside;
    }
    return isInside;
  }
}
