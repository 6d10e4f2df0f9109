import { describe, expect, test } from "vitest";
import { brought, cameIn, died, entered, founded, headed, joined, left, moved, movesAway, split } from "./acts.ts";

const day = "2026-03-02";

describe("what happens to a household", () => {
  test("is written with what was chosen, and with nothing that was not", () => {
    expect(left("p", { household: "h", reason: "study", on: day, newHead: "q" })).toEqual({ kind: "command", name: "person_left", id: "p", arguments: { household: "h", reason: "study", on: day, new_head: "q" } });
    expect(died("p", { on: day })).toEqual({ kind: "command", name: "person_died", id: "p", arguments: { on: day } });
    expect(movesAway("person", "p", { community: "c", on: "", reason: "" })).toEqual({ kind: "command", name: "move_person", id: "p", arguments: { community: "c" } });
    expect(moved("h", { dwelling: "d", on: day, members: ["p"] })).toEqual({ kind: "command", name: "move_household", id: "h", arguments: { dwelling: "d", on: day, members: ["p"] }, shown: ["p"] });
    expect(joined("h", { household: "g", members: ["p"], on: day })).toMatchObject({ arguments: { household: "g", members: ["p"], on: day }, shown: ["g", "p"] });
    expect(joined("h", { household: "g", members: ["p"], on: day, reason: "married", relations: { p: "10", q: "20" } })).toMatchObject({ arguments: { left_reason: "married", relations: { p: "10" } } });
  });

  test("names the former head as seen, and gives the new one no relation to himself", () => {
    expect(headed("h", "p", { former: "q", relations: { p: "10", q: "10", r: "" } })).toEqual({ kind: "command", name: "change_head", id: "h", arguments: { head: "p", relations: { q: "10" } }, shown: ["q"] });
    expect(headed("h", "p")).toEqual({ kind: "command", name: "change_head", id: "h", arguments: { head: "p" } });
  });

  test("a split has heads only among those who go, and those who stay", () => {
    const of = { made: "n", members: ["p", "q"], on: day, kind: "family", former: "p", relations: { q: "10", r: "20" } };
    expect(split("h", { ...of, head: "p", newHead: "r" })).toMatchObject({ arguments: { head: "p", new_head: "r", relations: { q: "10" } }, shown: ["p", "q"] });
    const wrong = split("h", { ...of, head: "r", newHead: "q" });
    expect(wrong).toMatchObject({ kind: "command", arguments: { new_household: "n", members: ["p", "q"], relations: { q: "10" } } });
    expect(Object.keys((wrong as { arguments: object }).arguments)).not.toContain("head");
    expect(Object.keys((wrong as { arguments: object }).arguments)).not.toContain("new_head");
    expect(split("h", { ...of, former: "r", newHead: "s" })).not.toHaveProperty("arguments.new_head");
  });

  test("whoever comes in has a day and a reason; the first one of a household is its head", () => {
    expect(cameIn("p", { household: "h", on: day })).toEqual({ kind: "patch", id: "p", set: { residence_household: "h", resident_from: day, joined_reason: "moved_in", relation_to_head: null, presence: "present" } });
    expect(entered("p", { name: "甲" }, { household: "h", isHead: true })).toEqual([
      { kind: "create", type: "person", id: "p", set: { name: "甲", residence_household: "h", vital_status: "living", relation_to_head: "02" } },
      { kind: "patch", id: "h", set: { head: "p" } },
    ]);
    expect(entered("p", { name: "甲" }, { household: "h", isHead: false })).toHaveLength(1);
    expect(founded("h", { dwelling: "d", kind: "family" })).toEqual({ kind: "create", type: "household", id: "h", set: { dwelling: "d", kind: "family" } });
  });

  test("whoever is brought here left another home with its reason, and says who is head there then", () => {
    const from = { household: "g", reason: "divorce", newHead: "q" };
    expect(brought("p", { household: "h", on: day, from })).toEqual([left("p", { ...from, on: day }), cameIn("p", { household: "h", on: day })]);
    expect(brought("p", { household: "h", on: day })).toEqual([cameIn("p", { household: "h", on: day })]);
  });
});
