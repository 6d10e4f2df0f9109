// Borders are shared: whatever is drawn at one cell happens to its neighbour as well.
import { describe, expect, it } from "vitest";
import type { CellCollection, CellFeature } from "../../api/types.ts";
import { Ground, toUnits } from "./topology.ts";

function square(id: string, west: number, south: number, wide = 0.001, high = 0.001): CellFeature {
  const ring = [[west, south], [west + wide, south], [west + wide, south + high], [west, south + high], [west, south]].map((place) => place.map((degrees) => Math.round(degrees! * 1e7) / 1e7));
  return { type: "Feature", id, geometry: { type: "Polygon", coordinates: [ring] }, properties: { code: id, name: id } };
}
const collection = (...features: CellFeature[]): CellCollection => ({ type: "FeatureCollection", features });
const pair = () => new Ground(collection(square("a", 120.6, 31.3), square("b", 120.601, 31.3)));
/** Twice the area of every cell, in square units: what one loses another wins. */
const areas = (ground: Ground) => ground.shapes.map((shape) => { const ring = shape.polygons[0]![0]!; return ring.reduce((sum, one, n) => { const next = ring[(n + 1) % ring.length]!; return sum + one.x * next.y - next.x * one.y; }, 0); });
const sum = (ground: Ground) => areas(ground).reduce((all, one) => all + one, 0);

describe("cells over shared corners", () => {
  it("keep what they are when nothing is drawn", () => {
    const cells = collection(square("a", 120.6, 31.3), square("b", 120.601, 31.3));
    expect(new Ground(cells).collection().features.map((one) => one.geometry.coordinates)).toEqual(cells.features.map((one) => one.geometry.coordinates));
  });

  it("move together where they touch, and leave no gap", () => {
    const ground = pair();
    const before = sum(ground);
    const corner = ground.shapes[0]!.polygons[0]![0]![1]!;
    expect(ground.around(corner).map((one) => one.id)).toEqual(["a", "b"]);
    const [a, b] = [corner, ground.shapes[0]!.polygons[0]![0]![2]!];
    const made = ground.insert(a, b, toUnits(120.6013), toUnits(31.3005));
    expect(ground.around(made).map((one) => one.id)).toEqual(["a", "b"]);
    expect(sum(ground)).toBe(before);
    expect(areas(ground)[0]).toBeGreaterThan(areas(ground)[1]!);
    expect(ground.remove(made)).toBe(true);
    expect(areas(ground)[0]).toBe(areas(ground)[1]);
  });

  it("take a neighbour's corner into their edge, so that it moves with it", () => {
    const ground = new Ground(collection(square("low", 120.6, 31.3, 0.002), square("left", 120.6, 31.301), square("right", 120.601, 31.301)));
    expect(ground.shapes[0]!.polygons[0]![0]).toHaveLength(5);
    const middle = ground.shapes[1]!.polygons[0]![0]!.find((one) => one.x === toUnits(120.601) && one.y === toUnits(31.301))!;
    expect(ground.around(middle).map((one) => one.id)).toEqual(["low", "left", "right"]);
    const before = sum(ground);
    ground.settle(middle, { x: middle.x + 700, y: middle.y - 900 });
    expect(sum(ground)).toBe(before);
  });

  it("snap to a corner first, then to an outline, then to a building, then to an edge", () => {
    const ground = pair();
    const reach = { x: 500, y: 500 };
    const at = { x: toUnits(120.6) + 200, y: toUnits(31.3) + 200 };
    expect(ground.snap(null, at, reach)?.corner).toBe(ground.shapes[0]!.polygons[0]![0]![0]);
    const edge = { x: toUnits(120.6005), y: toUnits(31.3) + 300 };
    const outline = { x: edge.x + 10, y: edge.y + 10 };
    expect(ground.snap(null, edge, reach, [outline])).toMatchObject(outline);
    const building = { x: edge.x - 5, y: edge.y + 5 };
    expect(ground.snap(null, edge, reach, [outline], [building])).toEqual(outline);
    expect(ground.snap(null, edge, reach, [], [building])).toEqual(building);
    expect(ground.snap(null, at, reach, [], [at])?.corner).toBeDefined();
    expect(ground.snap(null, edge, reach)?.edge).toBeDefined();
    expect(ground.snap(null, edge, reach)?.y).toBe(toUnits(31.3));
    expect(ground.snap(null, { x: 0, y: 0 }, reach)).toBeNull();
  });

  it("become one corner when one is dropped on another, but never less than a triangle", () => {
    const ground = pair();
    const ring = ground.shapes[0]!.polygons[0]![0]!;
    const before = sum(ground);
    const made = ground.insert(ring[1]!, ring[2]!, toUnits(120.6012), toUnits(31.3006));
    ground.settle(made, { x: ring[3]!.x, y: ring[3]!.y, corner: ring[3]! });
    expect(ground.around(made)).toEqual([]);
    expect(sum(ground)).toBe(before);
    const triangle = new Ground(collection({ ...square("t", 120.6, 31.3), geometry: { type: "Polygon", coordinates: [[[120.6, 31.3], [120.601, 31.3], [120.601, 31.301], [120.6, 31.3]]] } }));
    const [one, two] = triangle.shapes[0]!.polygons[0]![0]!;
    expect(triangle.remove(one!)).toBe(false);
    expect(triangle.settle(one!, { x: two!.x, y: two!.y, corner: two! })).toBe(one);
    expect(triangle.shapes[0]!.polygons[0]![0]).toHaveLength(3);
  });

  it("cut another edge where a corner is dropped on it", () => {
    const ground = new Ground(collection(square("a", 120.6, 31.3), square("far", 120.6011, 31.3)));
    const corner = ground.shapes[0]!.polygons[0]![0]![1]!;
    const found = ground.snap(corner, { x: toUnits(120.6011) - 20, y: toUnits(31.3004) }, { x: 100, y: 100 })!;
    ground.settle(corner, found);
    expect(ground.around(corner).map((one) => one.id)).toEqual(["a", "far"]);
  });
});
