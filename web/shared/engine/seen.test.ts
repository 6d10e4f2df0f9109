import { expect, test } from "vitest";
import { phone, type Cell } from "./kit-cell.ts";
import type { Fields, Seen, Version } from "./types.ts";

interface Sent {
  base: Version | null;
  set: Fields;
  was: Fields;
}

const tag = (v: number): string => `${v}`.padStart(16, "0");
const sent = (cell: Cell): Sent[] => cell.seen.map(({ op }) => JSON.parse(op) as Sent).map(({ base, set, was }) => ({ base, set, was }));

test("what was pulled behind an open form is not taken for seen: base and value are those of the moment when it was opened", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "甲", phones: ["111"] });
  await engine.sync();
  const seen = engine.read("p1") as Seen;
  cell.put("p1", 2, { name: "乙", phones: ["111", "333"], sex: "2" });
  await engine.sync();
  await engine.write([{ kind: "patch", id: "p1", set: { name: "丙", phones: ["111", "222"] }, seen }]);
  expect(engine.read("p1")?.fields).toMatchObject({ name: "丙", phones: ["111", "333", "222"], sex: "2" });
  await engine.sync();
  expect(sent(cell)).toStrictEqual([{ base: { v: 1, tag: tag(1) }, set: { name: "丙", phones: { add: ["222"], remove: [] } }, was: { name: "甲", phones: ["111"] } }]);
});

test("without a form the phone's own copy is what was seen", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "甲" });
  cell.put("p1", 2, { name: "乙" });
  await engine.sync();
  await engine.write([{ kind: "patch", id: "p1", set: { name: "丙" } }]);
  await engine.sync();
  expect(sent(cell)).toStrictEqual([{ base: { v: 2, tag: tag(2) }, set: { name: "丙" }, was: { name: "乙" } }]);
});

test("a form that writes twice stays at the version that it showed, and knows what it wrote itself", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "甲" });
  await engine.sync();
  const opened = engine.read("p1") as Seen;
  await engine.write([{ kind: "patch", id: "p1", set: { name: "丙" }, seen: opened }]);
  cell.put("p1", 2, { name: "丙" });
  cell.put("p1", 3, { name: "乙" });
  await engine.sync();
  await engine.write([{ kind: "patch", id: "p1", set: { name: "丁" }, seen: { ...opened, fields: { name: "丙" } } }]);
  await engine.sync();
  expect(sent(cell)[1]).toStrictEqual({ base: { v: 1, tag: tag(1) }, set: { name: "丁" }, was: { name: "丙" } });
});

test("an own write that was not sent yet keeps its older base, and a form opened before it keeps the form's", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "甲" });
  await engine.sync();
  const before = engine.read("p1") as Seen;
  cell.put("p1", 2, { name: "乙" });
  await engine.sync();
  await engine.write([{ kind: "patch", id: "p1", set: { name: "丙" } }]);
  const after = engine.read("p1") as Seen;
  await engine.write([{ kind: "patch", id: "p1", set: { name: "丁" }, seen: { ...after, version: { v: 3, tag: tag(3) } } }]);
  await engine.write([{ kind: "patch", id: "p1", set: { name: "戊" }, seen: before }]);
  await engine.sync();
  expect(sent(cell).map((one) => [one.base?.v, one.was["name"]])).toStrictEqual([[2, "乙"], [2, "丙"], [1, "甲"]]);
});

test("a record that was not at the server when its form was opened has no base, whatever has come since", async () => {
  const { cell, engine } = await phone();
  await engine.write([{ kind: "create", type: "person", id: "p1", set: { name: "甲" } }]);
  const seen = engine.read("p1") as Seen;
  cell.put("p1", 1, { name: "甲" });
  cell.put("p1", 2, { name: "乙" });
  await engine.sync();
  await engine.write([{ kind: "patch", id: "p1", set: { name: "丙" }, seen }]);
  await engine.sync();
  expect(sent(cell)[1]).toStrictEqual({ base: null, set: { name: "丙" }, was: { name: "甲" } });
});
