// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { TrendPoint } from "../../api/types.ts";
import { dayOf, linesOf } from "./trend.ts";

test("a line for every figure that some month has; each but the surveyed dwellings has a list behind it, of the day that was kept", () => {
  const trend: TrendPoint[] = [{ day: "2026-08-31", reckoned: true, figures: { residents: 4, surveyed: 2 } }, { day: "2026-09-30", reckoned: false, figures: { residents: 5, aged: 1 } }];
  expect(linesOf(trend).map((one) => [one.name, one.figure?.name ?? null])).toEqual([["residents", "count_resident_person"], ["surveyed", null], ["aged", "aged_60"]]);
  expect(linesOf([])).toEqual([]);
  expect(trend.map((point) => dayOf(point, "2026-09-30"))).toEqual(["2026-08-31", null]);
});
