import { describe, expect, test } from "vitest";
import { can, chosen, isTicked, keyOf, news, type Unit } from "./copies.ts";

const unit = (name: string, state: Unit["state"], now: unknown = null, why_not: Unit["why_not"] = null): Unit => ({
  unit: name,
  label: { zh: name, en: name },
  fields: [{ name, label: { zh: name, en: name }, copy: { value: "copy", label: null }, now: { value: now, label: null } }],
  state,
  why_not,
});
const copy = (...units: Unit[]) => ({ recovery_id: "r", units });

describe("a copy that is written back", () => {
  test("is ticked where only it says something; what differs is for somebody to tick, what is there already is not shown", () => {
    const one = copy(unit("floors", "only_copy"), unit("name", "differs", "new"), unit("note", "joined", "a"), unit("kind", "same"), unit("use", "only_here", "x"));
    expect(news(one).map((each) => each.unit)).toEqual(["floors", "name", "note"]);
    expect(chosen({}, one)).toEqual(["floors", "note"]);
    expect(chosen({ [keyOf(one, one.units[1]!)]: true, [keyOf(one, one.units[0]!)]: false }, one)).toEqual(["name", "note"]);
  });

  test("has no ticks where its record was merged into another, and none for a mask", () => {
    const one = copy(unit("floors", "only_copy", null, "gone"), unit("number", "differs", null, "masked"));
    expect([one.units.some(can), chosen({ [keyOf(one, one.units[0]!)]: true }, one)]).toEqual([false, []]);
  });

  test("loses a tick when another value stands beside it by then", () => {
    const before = copy(unit("name", "differs", "new"));
    const ticked = { [keyOf(before, before.units[0]!)]: true };
    const after = copy(unit("name", "differs", "newer"));
    expect([isTicked(ticked, before, before.units[0]!), isTicked(ticked, after, after.units[0]!)]).toEqual([true, false]);
  });
});
