import { expect, test } from "vitest";
import { phone } from "@shared/engine/kit-cell.ts";
import { builtInForms } from "@shared/vectors.ts";
import { attach, reference } from "../session.ts";
import { hangingOn, inBrief } from "./hanging.ts";

test("what has no screen of its own is listed by its form on the page of what it names, and begins where it belongs", async () => {
  const { cell, engine } = await phone();
  attach(engine);
  reference.value = { ...reference.value!, ...builtInForms() };
  cell.put("t1", 1, { dwelling: "d1", kind: "tenant", person: "p1", from_date: "2026-01-01", share_percent: 5 }, { type: "tenure" });
  cell.put("s1", 1, { party_member: "m1", kind: "environment", served_on: "2026-02-01", served_kind: "household", household: "h1" }, { type: "service_record" });
  await engine.sync();
  const on = (type: string, id: string) => hangingOn({ type, id }).map((one) => [one.type, one.field, one.rows.map((row) => row.id), one.begins]);
  expect(on("dwelling", "d1")).toEqual([["tenure", "dwelling", ["t1"], true]]);
  expect(on("party_member", "m1")).toEqual([["service_record", "party_member", ["s1"], true]]);
  expect(on("household", "h1"), "who was served is told; a service begins with who serves").toEqual([["service_record", "household", ["s1"], false]]);
  expect(on("building", "b1")).toEqual([]);
  expect(inBrief(engine.read("t1")!, "dwelling").slice(0, 1)).toEqual(["承租人"]);
  expect(inBrief(engine.read("s1")!, "party_member").slice(0, 2)).toEqual(["环境整治", "2026-02-01"]);
});

test("what holds today stands before what has ended, the newest first, and an end is told with its day", async () => {
  const { cell, engine } = await phone();
  attach(engine);
  reference.value = { ...reference.value!, ...builtInForms() };
  cell.put("t1", 1, { dwelling: "d1", kind: "owner", holder_text: "甲", from_date: "2001-01-01", to_date: "2020-05-31" }, { type: "tenure" });
  cell.put("t2", 1, { dwelling: "d1", kind: "owner", holder_text: "乙", from_date: "2020-06-01" }, { type: "tenure" });
  cell.put("t3", 1, { dwelling: "d1", kind: "tenant", holder_text: "丙", from_date: "2024-06-01" }, { type: "tenure" });
  for (const [id, day] of [["s1", "2026-01-01"], ["s2", "2026-02-01"]] as const) cell.put(id, 1, { party_member: "m1", kind: "environment", served_on: day }, { type: "service_record" });
  await engine.sync();
  const ids = (type: string, id: string) => hangingOn({ type, id })[0]!.rows.map((row) => row.id);
  expect([ids("dwelling", "d1"), ids("party_member", "m1")]).toEqual([["t3", "t2", "t1"], ["s2", "s1"]]);
  expect([inBrief(engine.read("t1")!, "dwelling").at(-1), inBrief(engine.read("t2")!, "dwelling").join()]).toEqual(["结束日期 2020-05-31", expect.not.stringContaining("结束")]);
});
