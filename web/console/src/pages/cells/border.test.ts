// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { CellCollection } from "../../api/types.ts";
import { t } from "../../words/index.ts";
import { cutBetween, spotsOf } from "./border.ts";
import { Ground } from "./topology.ts";

test("a cell can be cut between any two corners of its border or middles between them, numbered as on the map", () => {
  const ring = [[120, 31], [120.002, 31], [120.002, 31.001], [120, 31.001], [120, 31]];
  const cells = { type: "FeatureCollection", features: [{ type: "Feature", id: "a", geometry: { type: "Polygon", coordinates: [ring] }, properties: { code: "1", name: "甲" } }] } as unknown as CellCollection;
  const spots = spotsOf(new Ground(cells).shapes[0]!);
  expect(spots).toHaveLength(8);
  expect(spots.map((one) => one.at).slice(0, 3)).toEqual([[120, 31], [120.001, 31], [120.002, 31]]);
  expect(spots.at(-1)!.at).toEqual([120, 31.0005]);
  expect(spots[0]!.label).toBe(`${t("cells.corner", { n: 1 })} (120.00000, 31.00000)`);
  expect(spots.at(-1)!.label).toBe(`${t("cells.middleOf", { n: 4, m: 1 })} (120.00000, 31.00050)`);
});

test("a cut goes a little beyond both of its ends, so that it reaches the border", () => {
  const [from, to] = cutBetween([120, 31], [120.002, 31]);
  expect(from![0]).toBeLessThan(120);
  expect(to![0]).toBeGreaterThan(120.002);
  expect([from![1], to![1]]).toEqual([31, 31]);
});
