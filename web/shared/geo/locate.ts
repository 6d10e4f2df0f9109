// Which cell holds a point: exactly one, the same as the server says (L1). The twin of geo/locate.py; both pass
// tests/vectors/locate. Squares that no border crosses answer at once; near borders the exact test does.

import type { CellFeature } from "../engine/reference-types.ts";
import { snap } from "./datum.ts";
import { Shape } from "./shape.ts";

const OUTSIDE = -1;
/** A square that a border crosses; the first one. The next ones go down from here. */
const BORDER = -2;

function byteless(first: string, second: string): number {
  // codes compare by code points, as on the server
  const [one, two] = [Array.from(first), Array.from(second)];
  for (let at = 0; at < one.length && at < two.length; at++) {
    const difference = (one[at]?.codePointAt(0) ?? 0) - (two[at]?.codePointAt(0) ?? 0);
    if (difference) return difference;
  }
  return one.length - two.length;
}

/** The cells of one layer, ready to be asked. */
export class CellIndex {
  /** In tie order: the smallest (order, code) first. */
  readonly cells: readonly CellFeature[];
  readonly shapes: readonly Shape[];
  private west = 0;
  private south = 0;
  private width = 1;
  private height = 1;
  private count = 0;
  private squares = new Int32Array(0);
  /** The cells that may cover a point of each crossed square, one square after the other, and where each square's begin. */
  private shared = new Int32Array(0);
  private starts = new Int32Array(0);
  private readonly ids: readonly string[];

  constructor(features: readonly CellFeature[]) {
    const present = features.filter((cell) => cell.geometry?.coordinates.length > 0);
    this.cells = [...present].sort(
      (one, two) => one.properties.order - two.properties.order || byteless(one.properties.code, two.properties.code),
    );
    this.shapes = this.cells.map((cell) => new Shape(cell.geometry));
    this.ids = this.cells.map((cell) => cell.properties.cell_id);
    if (this.shapes.length) this.build();
  }

  /** Position of the cell that covers a CGCS2000 point, in tie order; -1 outside every cell and for what is not finite. */
  position(lon: number, lat: number): number {
    return this.at(snap(lon), snap(lat));
  }

  /** The id of that cell; null outside. */
  locate(lon: number, lat: number): string | null {
    const position = this.at(snap(lon), snap(lat));
    return position < 0 ? null : (this.ids[position] as string); // an array asked for -1 makes the program slow for good
  }

  /** How many cells cover a point: two or more mean that the tie rule spoke. */
  covering(lon: number, lat: number): number {
    const [x, y] = [snap(lon), snap(lat)];
    return this.shapes.reduce((sum, shape) => sum + (shape.covers(x, y) ? 1 : 0), 0);
  }

  private at(x: number, y: number): number {
    const column = Math.floor((x - this.west) / this.width);
    const row = Math.floor((y - this.south) / this.height);
    if (!(column >= 0 && row >= 0 && column < this.count && row < this.count)) return OUTSIDE;
    const found = this.squares[row * this.count + column] as number;
    if (found > BORDER) return found;
    const { shared, shapes, starts } = this;
    const square = BORDER - found;
    const end = starts[square + 1] as number;
    for (let k = starts[square] as number; k < end; k++) {
      const cell = shared[k] as number;
      if ((shapes[cell] as Shape).covers(x, y)) return cell;
    }
    return OUTSIDE;
  }

  private build(): void {
    const { shapes } = this;
    let edges = 0;
    let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const shape of shapes) {
      west = Math.min(west, shape.west);
      south = Math.min(south, shape.south);
      east = Math.max(east, shape.east);
      north = Math.max(north, shape.north);
      edges += shape.edges.length / 4;
    }
    this.count = Math.min(256, Math.max(16, Math.ceil(Math.sqrt(edges) * 4)));
    [this.west, this.south] = [west, south];
    this.width = Math.max(1, Math.ceil((east - west + 1) / this.count));
    this.height = Math.max(1, Math.ceil((north - south + 1) / this.count));
    this.squares = new Int32Array(this.count * this.count);
    const crossed = new Uint8Array(this.squares.length);
    for (const shape of shapes) this.mark(shape, crossed);
    const near = this.near(crossed);
    const shared: number[] = [];
    const starts: number[] = [0];
    for (let row = 0; row < this.count; row++) {
      let last = BORDER;
      for (let column = 0; column < this.count; column++) {
        const square = row * this.count + column;
        if (crossed[square]) {
          last = BORDER;
          this.squares[square] = BORDER - (starts.length - 1);
          shared.push(...(near.get(square) ?? []));
          starts.push(shared.length);
          continue;
        }
        if (last === BORDER) {
          // no border between here and the next crossed square of this row: one answer for all of them
          last = this.exact(this.west + column * this.width, this.south + row * this.height);
        }
        this.squares[square] = last;
      }
    }
    this.shared = Int32Array.from(shared);
    this.starts = Int32Array.from(starts);
  }

  private exact(x: number, y: number): number {
    return this.shapes.findIndex((shape) => shape.covers(x, y));
  }

  /** Marks every square that an edge may touch, one unit of margin included. */
  private mark(shape: Shape, crossed: Uint8Array): void {
    const { edges } = shape;
    const clamp = (value: number): number => Math.min(this.count - 1, Math.max(0, value));
    for (let k = 0; k < edges.length; k += 4) {
      const [ax, ay, bx, by] = [edges[k], edges[k + 1], edges[k + 2], edges[k + 3]] as unknown as [number, number, number, number];
      const first = clamp(Math.floor((Math.min(ay, by) - 1 - this.south) / this.height));
      const last = clamp(Math.floor((Math.max(ay, by) + 1 - this.south) / this.height));
      for (let row = first; row <= last; row++) {
        let [low, high] = [Math.min(ax, bx), Math.max(ax, bx)];
        if (ay !== by) {
          const slope = (bx - ax) / (by - ay);
          const bottom = ax + (this.south + row * this.height - 1 - ay) * slope;
          const top = ax + (this.south + (row + 1) * this.height + 1 - ay) * slope;
          low = Math.max(low, Math.min(bottom, top));
          high = Math.min(high, Math.max(bottom, top));
        }
        const from = clamp(Math.floor((low - 2 - this.west) / this.width));
        const to = clamp(Math.floor((high + 2 - this.west) / this.width));
        for (let column = from; column <= to; column++) crossed[row * this.count + column] = 1;
      }
    }
  }

  /** For each crossed square the cells whose box touches it, in tie order. */
  private near(crossed: Uint8Array): Map<number, number[]> {
    const found = new Map<number, number[]>();
    this.shapes.forEach((shape, position) => {
      const columns = [shape.west, shape.east].map((x) => Math.floor((x - this.west) / this.width)) as [number, number];
      const rows = [shape.south, shape.north].map((y) => Math.floor((y - this.south) / this.height)) as [number, number];
      for (let row = rows[0]; row <= rows[1]; row++) {
        for (let column = columns[0]; column <= columns[1]; column++) {
          const square = row * this.count + column;
          if (!crossed[square]) continue;
          const list = found.get(square);
          if (list) list.push(position);
          else found.set(square, [position]);
        }
      }
    });
    return found;
  }
}
