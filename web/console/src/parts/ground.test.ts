import { describe, expect, it } from "vitest";
import type { CellFeature } from "../api/types.ts";
import { dotAt, dotsOf, Outline, projected, samePlaces, simplified, spotsOf, unprojected } from "./ground.ts";

const square = (west: number, south: number, side: number, hole?: number): CellFeature =>
  ({
    type: "Feature",
    id: "a",
    properties: {},
    geometry: {
      type: "Polygon",
      coordinates: [ring(west, south, side), ...(hole ? [ring(west + hole, south + hole, side - 2 * hole)] : [])],
    },
  }) as unknown as CellFeature;
const ring = (west: number, south: number, side: number) => [[west, south], [west + side, south], [west + side, south + side], [west, south + side], [west, south]];

describe("the ground of a map", () => {
  it("gives degrees back as they came", () => {
    const [lon, lat] = unprojected(...projected(120.6123456, 31.2987654));
    expect(lon).toBeCloseTo(120.6123456, 9);
    expect(lat).toBeCloseTo(31.2987654, 9);
  });

  it("knows a place inside a cell from one in its hole, and from one outside", () => {
    const cell = new Outline(square(120, 31, 0.03, 0.01));
    expect(cell.covers(...projected(120.005, 31.015))).toBe(true);
    expect(cell.covers(...projected(120.015, 31.015))).toBe(false);
    expect(cell.covers(...projected(120.031, 31.015))).toBe(false);
  });

  it("leaves out corners that cannot be told apart, and no others", () => {
    const flat = Float64Array.from([0, 0, 5, 0.01, 10, 0, 10, 10, 0, 10, 0, 0]);
    expect([...simplified(flat, 0.1)]).toEqual([0, 0, 10, 0, 10, 10, 0, 10, 0, 0]);
    expect([...simplified(flat, 0.001)]).toEqual([...flat]);
  });

  it("keeps the corners of a small cell, so that it does not vanish", () => {
    const flat = Float64Array.from([0, 0, 1, 0, 1, 1, 0.5, 1.2, 0, 1, 0, 0]);
    expect(simplified(flat, 100).length).toBeGreaterThanOrEqual(8);
  });

  it("draws every dot where there is room, and one for all within three pixels where there is none", () => {
    const dots = dotsOf(Array.from({ length: 10_000 }, (_, n) => ({ lon: 120 + (n % 100) * 1e-4, lat: 31 + Math.floor(n / 100) * 1e-4, size: 4 })));
    const at = (zoom: number) => {
      const [x, y] = projected(120, 31.01);
      return { zoom, left: x * 2 ** zoom - 100, top: y * 2 ** zoom - 100, width: 4000, height: 4000 };
    };
    const near = spotsOf(dots, at(18));
    expect(near.spots).toHaveLength(10_000);
    expect(near.shrink).toBe(1);
    const far = spotsOf(dots, at(12));
    expect(far.spots.length).toBeLessThan(400);
    expect(far.spots.length).toBeGreaterThan(20);
    expect(4 * far.shrink).toBeCloseTo(0.8);
  });

  it("finds the dot under a finger, the topmost first", () => {
    const dots = dotsOf([{ lon: 120, lat: 31, size: 4 }, { lon: 120.00001, lat: 31, size: 9 }, { lon: 121, lat: 31 }]);
    const reach = (size: number) => (size + 2) / 2 ** 18;
    expect(dotAt(dots, ...projected(120, 31), reach, () => true)).toBe(1);
    expect(dotAt(dots, ...projected(120, 31), reach, (at) => at !== 1)).toBe(0);
    expect(dotAt(dots, ...projected(120.5, 31), reach, () => true)).toBe(-1);
  });
});

it("a dot that is marked stands where it stood: only other places call for another view", () => {
  const at = (lon: number, size: number) => ({ lon, lat: 31.3, size });
  const before = dotsOf([at(120.6, 6), at(120.7, 6)]);
  expect(samePlaces(before, dotsOf([at(120.6, 6), at(120.7, 9)]))).toBe(true);
  expect([samePlaces(before, dotsOf([at(120.6, 6), at(120.8, 6)])), samePlaces(before, dotsOf([at(120.6, 6)]))]).toEqual([false, false]);
});
