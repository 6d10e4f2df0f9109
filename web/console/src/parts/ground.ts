// Outlines and dots as numbers, projected once: what a map of thousands of cells and tens of thousands of houses is drawn and asked from.
import type { CellFeature } from "../api/types.ts";

/** Web Mercator with the whole world 256 wide, y downwards: Leaflet's pixels at zoom 0. */
export function projected(lon: number, lat: number): [x: number, y: number] {
  const sine = Math.sin((lat * Math.PI) / 180);
  return [256 * (lon / 360 + 0.5), 256 * (0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI))];
}

/** Degrees of such a place. */
export function unprojected(x: number, y: number): [lon: number, lat: number] {
  return [(x / 256 - 0.5) * 360, (Math.atan(Math.sinh((0.5 - y / 256) * 2 * Math.PI)) * 180) / Math.PI];
}

/** One cell: its rings as x, y, x, y …, and the box around them. */
export class Outline {
  readonly rings: Float64Array[] = [];
  left = Infinity;
  top = Infinity;
  right = -Infinity;
  bottom = -Infinity;
  private level = NaN;
  private drawn: Float64Array[] = [];

  constructor(readonly cell: CellFeature) {
    const parts = (cell.geometry.type === "Polygon" ? [cell.geometry.coordinates] : cell.geometry.coordinates) as number[][][][];
    for (const ring of parts.flat()) {
      const flat = new Float64Array(2 * ring.length);
      ring.forEach(([lon, lat], at) => {
        const [x, y] = projected(lon!, lat!);
        flat[2 * at] = x;
        flat[2 * at + 1] = y;
        this.left = Math.min(this.left, x);
        this.right = Math.max(this.right, x);
        this.top = Math.min(this.top, y);
        this.bottom = Math.max(this.bottom, y);
      });
      this.rings.push(flat);
    }
  }

  /** The rings with no more corners than can be told apart at a zoom; kept until another level is asked. */
  at(zoom: number): Float64Array[] {
    const level = Math.ceil(zoom);
    if (level !== this.level) {
      this.level = level;
      this.drawn = this.rings.map((ring) => simplified(ring, 0.6 / 2 ** level));
    }
    return this.drawn;
  }

  /** Whether a place lies inside; a border belongs to one side or the other. */
  covers(x: number, y: number): boolean {
    if (x < this.left || x > this.right || y < this.top || y > this.bottom) return false;
    let inside = false;
    for (const ring of this.rings) {
      for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
        const [xi, yi, xj, yj] = [ring[i]!, ring[i + 1]!, ring[j]!, ring[j + 1]!];
        if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
      }
    }
    return inside;
  }
}

/** A closed ring with fewer corners, none farther off than the tolerance (Douglas and Peucker); never fewer than four. */
export function simplified(ring: Float64Array, tolerance: number): Float64Array {
  const count = ring.length / 2;
  if (count <= 4) return ring;
  const keep = new Uint8Array(count);
  // A ring begins where it ends: it is halved at the corner farthest from there.
  let [far, most] = [0, -1];
  for (let k = 1; k < count; k++) {
    const away = (ring[2 * k]! - ring[0]!) ** 2 + (ring[2 * k + 1]! - ring[1]!) ** 2;
    if (away > most) [far, most] = [k, away];
  }
  keep[0] = keep[far] = keep[count - 1] = 1;
  const open: number[] = [0, far, far, count - 1];
  const bar = tolerance * tolerance;
  while (open.length > 0) {
    const end = open.pop()!;
    const start = open.pop()!;
    const [x, y] = [ring[2 * start]!, ring[2 * start + 1]!];
    const [dx, dy] = [ring[2 * end]! - x, ring[2 * end + 1]! - y];
    const long = dx * dx + dy * dy;
    let [worst, off] = [-1, bar];
    for (let k = start + 1; k < end; k++) {
      const [px, py] = [ring[2 * k]! - x, ring[2 * k + 1]! - y];
      const along = long > 0 ? Math.min(1, Math.max(0, (px * dx + py * dy) / long)) : 0;
      const away = (px - along * dx) ** 2 + (py - along * dy) ** 2;
      if (away > off) [worst, off] = [k, away];
    }
    if (worst < 0) continue;
    keep[worst] = 1;
    open.push(start, worst, worst, end);
  }
  let kept = keep.reduce((sum, one) => sum + one, 0);
  for (let k = 1; k < count && kept < 4; k++) if (!keep[k]) [keep[k], kept] = [1, kept + 1];
  const found = new Float64Array(2 * kept);
  for (let k = 0, at = 0; k < count; k++) {
    if (!keep[k]) continue;
    found[at++] = ring[2 * k]!;
    found[at++] = ring[2 * k + 1]!;
  }
  return found;
}

/** Dots as columns; `looks` are the few colours and sizes that they share. */
export interface Dots<D> {
  of: readonly D[];
  x: Float64Array;
  y: Float64Array;
  look: Uint16Array;
  looks: { colour: string; size: number }[];
}

export function dotsOf<D extends { lon: number; lat: number; colour?: string; size?: number }>(list: readonly D[]): Dots<D> {
  const found: Dots<D> = { of: list, x: new Float64Array(list.length), y: new Float64Array(list.length), look: new Uint16Array(list.length), looks: [] };
  const known = new Map<string, number>();
  list.forEach((dot, at) => {
    [found.x[at], found.y[at]] = projected(dot.lon, dot.lat);
    const [colour, size] = [dot.colour ?? "#33454f", dot.size ?? 4];
    const name = `${colour} ${size}`;
    if (!known.has(name)) known.set(name, found.looks.push({ colour, size }) - 1);
    found.look[at] = known.get(name)!;
  });
  return found;
}

/** Whether the same places are dotted, whatever they look like. */
export const samePlaces = (one: Dots<unknown>, other: Dots<unknown>): boolean =>
  one.x.length === other.x.length && one.x.every((x, at) => x === other.x[at] && one.y[at] === other.y[at]);

export interface Spot {
  x: number;
  y: number;
  look: number;
}

/** Above so many dots in view they become smaller where they would cover each other. */
const CROWD = 2000;
const THIN_PX = 3;

/**
 * What of the dots is drawn on a bitmap whose corner lies at (left, top) in pixels of the zoom, and how much smaller than they ask.
 * Where single ones would be smaller than a pixel, one stands for all within three pixels.
 */
export function spotsOf(dots: Dots<unknown>, view: { zoom: number; left: number; top: number; width: number; height: number }, margin = 12): { spots: Spot[]; shrink: number } {
  const scale = 2 ** view.zoom;
  const spots: Spot[] = [];
  let [west, north, east, south] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let k = 0; k < dots.x.length; k++) {
    const x = dots.x[k]! * scale - view.left;
    const y = dots.y[k]! * scale - view.top;
    if (x < -margin || y < -margin || x > view.width + margin || y > view.height + margin) continue;
    spots.push({ x, y, look: dots.look[k]! });
    if (x < west) west = x;
    if (x > east) east = x;
    if (y < north) north = y;
    if (y > south) south = y;
  }
  if (spots.length <= CROWD) return { spots, shrink: 1 };
  const room = Math.sqrt(((east - west) * (south - north)) / spots.length);
  const largest = Math.max(...dots.looks.map((one) => one.size));
  const shrink = Math.min(1, (0.42 * room) / largest);
  if (shrink * largest >= 0.8) return { spots, shrink };
  const wide = Math.ceil((view.width + 2 * margin) / THIN_PX) + 1;
  const taken = new Uint8Array(wide * (Math.ceil((view.height + 2 * margin) / THIN_PX) + 1));
  const thinned = spots.filter(({ x, y }) => {
    const place = Math.floor((y + margin) / THIN_PX) * wide + Math.floor((x + margin) / THIN_PX);
    if (taken[place]) return false;
    taken[place] = 1;
    return true;
  });
  return { spots: thinned, shrink: 0.8 / largest };
}

/** The last drawn dot whose disc, or a finger's width around its middle, holds a place; -1 for none. `reach` in the units of the place. */
export function dotAt(dots: Dots<unknown>, x: number, y: number, reach: (size: number) => number, wanted: (at: number) => boolean): number {
  const reaches = dots.looks.map((one) => reach(one.size));
  for (let k = dots.x.length - 1; k >= 0; k--) {
    const far = reaches[dots.look[k]!]!;
    const [dx, dy] = [dots.x[k]! - x, dots.y[k]! - y];
    if (dx <= far && dx >= -far && dy <= far && dy >= -far && dx * dx + dy * dy <= far * far && wanted(k)) return k;
  }
  return -1;
}
