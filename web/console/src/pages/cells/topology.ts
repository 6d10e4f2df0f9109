// Cells as rings over shared corners: a corner that several cells have in common is one thing, so that moving it moves all of them.
import type { CellCollection, CellFeature } from "../../api/types.ts";

/** Ten millionths of a degree, the grid on which the server keeps borders. */
const UNITS = 10_000_000;
/** A corner nearer to a neighbour's edge than this (about 2 cm) lies on it. */
const TOUCH = 2;

export interface Corner {
  x: number;
  y: number;
}

export interface Shape {
  id: string;
  code: string;
  name: string;
  feature: CellFeature;
  /** Polygons, their rings (the outer first), their corners without the closing one. */
  polygons: Corner[][][];
}

export interface Snap {
  x: number;
  y: number;
  corner?: Corner;
  edge?: [Corner, Corner];
}

const key = (x: number, y: number) => `${x},${y}`;
export const toUnits = (degrees: number) => Math.floor(degrees * UNITS + 0.5);
export const toDegrees = (units: number) => units / UNITS;

/** Where a place falls onto a stretch, as a share of it between 0 and 1, and how far away that is. */
function foot(at: { x: number; y: number }, a: Corner, b: Corner): { share: number; far: number } {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const long = dx * dx + dy * dy;
  const share = long ? Math.max(0, Math.min(1, ((at.x - a.x) * dx + (at.y - a.y) * dy) / long)) : 0;
  return { share, far: Math.hypot(a.x + share * dx - at.x, a.y + share * dy - at.y) };
}

export class Ground {
  readonly shapes: Shape[] = [];

  constructor(cells: CellCollection) {
    const shared = new Map<string, Corner>();
    const corner = ([lon, lat]: [number, number]): Corner => {
      const [x, y] = [toUnits(lon), toUnits(lat)];
      let found = shared.get(key(x, y));
      if (!found) shared.set(key(x, y), (found = { x, y }));
      return found;
    };
    for (const feature of cells.features) {
      const coordinates = feature.geometry.coordinates as [number, number][][] | [number, number][][][];
      const polygons = (feature.geometry.type === "Polygon" ? [coordinates] : coordinates) as [number, number][][][];
      const { code, name } = feature.properties;
      this.shapes.push({ id: feature.id, code: String(code ?? ""), name: String(name ?? ""), feature, polygons: polygons.map((rings) => rings.map((ring) => ring.slice(0, -1).map(corner))) });
    }
    this.weave([...shared.values()]);
  }

  /** Put corners that lie on a neighbour's edge into that edge. */
  private weave(corners: Corner[]): void {
    const square = 20_000;
    const near = new Map<string, Corner[]>();
    for (const one of corners) {
      const place = key(Math.floor(one.x / square), Math.floor(one.y / square));
      near.set(place, [...(near.get(place) ?? []), one]);
    }
    for (const ring of this.rings()) {
      const own = new Set(ring);
      for (let n = ring.length - 1; n >= 0; n -= 1) {
        const [a, b] = [ring[n]!, ring[(n + 1) % ring.length]!];
        const found: { corner: Corner; share: number }[] = [];
        for (let i = Math.floor((Math.min(a.x, b.x) - TOUCH) / square); i <= Math.floor((Math.max(a.x, b.x) + TOUCH) / square); i += 1) {
          for (let j = Math.floor((Math.min(a.y, b.y) - TOUCH) / square); j <= Math.floor((Math.max(a.y, b.y) + TOUCH) / square); j += 1) {
            for (const one of near.get(key(i, j)) ?? []) {
              if (own.has(one)) continue;
              const { share, far } = foot(one, a, b);
              if (far <= TOUCH && share > 0 && share < 1) found.push({ corner: one, share });
            }
          }
        }
        found.sort((one, other) => one.share - other.share);
        ring.splice(n + 1, 0, ...found.map((one) => one.corner));
      }
    }
  }

  *rings(): Generator<Corner[]> {
    for (const shape of this.shapes) for (const polygon of shape.polygons) yield* polygon;
  }

  find(id: string | null): Shape | null {
    return this.shapes.find((one) => one.id === id) ?? null;
  }

  /** The cells that have a corner. */
  around(corner: Corner): Shape[] {
    return this.shapes.filter((shape) => shape.polygons.some((rings) => rings.some((ring) => ring.includes(corner))));
  }

  /** A new corner on an edge, in every cell that has this edge. */
  insert(a: Corner, b: Corner, x: number, y: number): Corner {
    const made = { x: Math.round(x), y: Math.round(y) };
    for (const ring of this.rings()) {
      for (let n = 0; n < ring.length; n += 1) {
        const next = ring[(n + 1) % ring.length]!;
        if ((ring[n] === a && next === b) || (ring[n] === b && next === a)) {
          ring.splice(n + 1, 0, made);
          break;
        }
      }
    }
    return made;
  }

  /** Take a corner away in every cell; false, and nothing happens, where a ring would lose its last three. */
  remove(corner: Corner): boolean {
    const having = [...this.rings()].filter((ring) => ring.includes(corner));
    if (having.some((ring) => ring.length <= 3)) return false;
    for (const ring of having) ring.splice(ring.indexOf(corner), 1);
    return true;
  }

  /** Put a corner somewhere: onto another corner the two become one, onto an edge it becomes a corner there too. */
  settle(corner: Corner, snap: Snap): Corner {
    [corner.x, corner.y] = [Math.round(snap.x), Math.round(snap.y)];
    if (snap.edge) {
      const [a, b] = snap.edge;
      for (const ring of this.rings()) {
        if (ring.includes(corner)) continue;
        const n = ring.findIndex((one, at) => { const next = ring[(at + 1) % ring.length]; return (one === a && next === b) || (one === b && next === a); });
        if (n >= 0) ring.splice(n + 1, 0, corner);
      }
      return corner;
    }
    const target = snap.corner;
    if (!target || target === corner) return corner;
    const merged = new Map<Corner[], Corner[]>();
    for (const ring of this.rings()) {
      if (!ring.includes(corner)) continue;
      const turned = ring.map((one) => (one === corner ? target : one));
      const left = turned.filter((one, n) => one !== turned[(n + 1) % turned.length]);
      if (left.length < 3 || new Set(left).size < left.length) return corner;
      merged.set(ring, left);
    }
    for (const [ring, left] of merged) ring.splice(0, ring.length, ...left);
    return target;
  }

  /** What a dragged corner snaps to within reach: another corner first, then an outline's corner, then the point of a building, then an edge; `reach` is in units along x and y. */
  snap(moving: Corner | null, at: { x: number; y: number }, reach: { x: number; y: number }, outlines: Iterable<Corner> = [], buildings: Iterable<Corner> = []): Snap | null {
    const far = (one: { x: number; y: number }) => Math.hypot((one.x - at.x) / reach.x, (one.y - at.y) / reach.y);
    let best: Snap | null = null;
    let least = 1;
    for (const ring of this.rings()) {
      for (const one of ring) {
        if (one === moving || Math.abs(one.x - at.x) > reach.x || Math.abs(one.y - at.y) > reach.y) continue;
        if (far(one) < least) [best, least] = [{ x: one.x, y: one.y, corner: one }, far(one)];
      }
    }
    if (best) return best;
    for (const points of [outlines, buildings]) {
      for (const one of points) if (far(one) < least) [best, least] = [{ x: one.x, y: one.y }, far(one)];
      if (best) return best;
    }
    for (const ring of this.rings()) {
      for (let n = 0; n < ring.length; n += 1) {
        const [a, b] = [ring[n]!, ring[(n + 1) % ring.length]!];
        if (a === moving || b === moving) continue;
        if (Math.min(a.x, b.x) - reach.x > at.x || Math.max(a.x, b.x) + reach.x < at.x || Math.min(a.y, b.y) - reach.y > at.y || Math.max(a.y, b.y) + reach.y < at.y) continue;
        const { share } = foot(at, a, b);
        const place = { x: a.x + share * (b.x - a.x), y: a.y + share * (b.y - a.y) };
        if (far(place) < least) [best, least] = [{ x: Math.round(place.x), y: Math.round(place.y), edge: [a, b] }, far(place)];
      }
    }
    return best;
  }

  /** The cells as the server takes them. */
  collection(): CellCollection {
    const features = this.shapes.map((shape): CellFeature => {
      const rings = shape.polygons.map((polygon) => polygon.map((ring) => [...ring, ring[0]!].map((one) => [toDegrees(one.x), toDegrees(one.y)])));
      const geometry: CellFeature["geometry"] = rings.length === 1 ? { type: "Polygon", coordinates: rings[0] } : { type: "MultiPolygon", coordinates: rings };
      return { ...shape.feature, geometry, properties: { ...shape.feature.properties, cell_id: shape.id, code: shape.code, name: shape.name } };
    });
    return { type: "FeatureCollection", features };
  }
}
