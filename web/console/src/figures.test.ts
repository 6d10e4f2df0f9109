// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { BaselineCell } from "./api/types.ts";
import { columnsWith, figureOf, filtersOn, toldOf, type RosterBehind } from "./figures.ts";

const cell = { counts: { household: 3, resident_person: 7 }, ages: { aged_60: 2, aged_80: 1, under_3: null, share_60: 0.25 }, area_m2: 10_000 } as unknown as BaselineCell;
const named = (chosen: string | null) => columnsWith(chosen ? figureOf(chosen) : null, [cell]).map((one) => one.name);

test("the figure on the map stands in the table too, once, with its list behind it", () => {
  const usual = named(null);
  for (const name of ["share_60", "aged_60", "density"]) {
    expect(named(name)).toEqual([...usual, name]);
    expect(figureOf(name).list).not.toBeNull();
  }
  expect(named("count_household")).toEqual(usual);
});

test("where the number of residents is withheld there is no density: neither none, nor that of all on record", () => {
  const density = figureOf("density");
  const of = (counts: Record<string, number | null>) => density.of({ ...cell, counts });
  expect([of({ resident_person: 7, person: 9 }), of({ resident_person: 0, person: 9 }), of({ resident_person: null, person: 9 })]).toEqual([7, 0, null]);
  expect(density.tell(null)).toBe("–");
});

test("a figure that no cell tells makes no column", () => {
  expect(named("under_3")).toEqual(named(null));
});

test("a past day is painted by a figure that it has, and its table shows those alone", () => {
  const past = { ...cell, counts: { resident_person: 7 }, coverage: { expected_dwellings: 4, surveyed_dwellings: 3, share: 0.75 }, freshness: null, open_conflicts: null } as unknown as BaselineCell;
  expect(["freshness", "conflicts", "open", "stale", "aged_60"].map((name) => toldOf(figureOf(name), [past]).name)).toEqual(["density", "density", "density", "density", "aged_60"]);
  const withheld = { counts: { dwelling: 3 }, coverage: { expected_dwellings: 4, surveyed_dwellings: null, share: null }, ages: null, area_m2: 10_000 } as unknown as BaselineCell;
  expect(toldOf(figureOf("freshness"), [withheld]).name).toBe("count_dwelling");
  const columns = columnsWith(null, [past], true);
  expect(columns.map((one) => one.name)).toContain("aged_60");
  expect(columns.some((one) => ["freshness", "conflicts", "stale"].includes(one.name))).toBe(false);
  const writtenDown = { ...past, open_conflicts: 2, freshness_buckets: { within_30: 1, within_90: 0, within_180: 0, older: 3 } } as unknown as BaselineCell;
  expect(columnsWith(null, [writtenDown], true).map((one) => one.tell(one.of(writtenDown))).slice(-2)).toEqual(["75%", "2"]);
  expect(toldOf(figureOf("stale"), [writtenDown]).name).toBe("stale");
});

test("who was not confirmed for half a year is asked from the day that is looked at", () => {
  const list = figureOf("stale").list as RosterBehind;
  expect(filtersOn(list, "2026-03-02")).toEqual([{ column: "confirmed_on", op: "lt", value: "2025-09-03" }]);
  expect(filtersOn(figureOf("aged_60").list as RosterBehind, "2026-03-02")).toEqual((figureOf("aged_60").list as RosterBehind).filters);
});
