import { expect, test } from "vitest";
import { phone } from "./kit-cell.ts";
import { restarted } from "./kit.ts";

const about = (id: string, more: object = {}) => ({
  place: `/edit/${id}`, title: "修改人员", at: "2026-01-02T03:04:05.000Z", type: "person", about: [id],
  content: { edits: { phones: ["111", "222"], note: "旧备注 新的一句", sex: "1" }, touched: ["phones", "note", "sex"], seen: { version: null, fields: { name: "王小明", phones: ["111"], note: "旧备注", sex: "1" } } }, ...more,
});

test("of a record that left the phone the own words stay, without what others had written, and cannot be saved any more", async () => {
  const { cell, engine, parts } = await phone();
  cell.put("p1", 1, { name: "王小明" });
  cell.put("p2", 1, { name: "李四" });
  await engine.sync();
  await engine.keepDraft(about("p1"));
  await engine.keepDraft(about("p2"));
  cell.remove("p1", "moved", 2);
  await engine.sync();
  const again = await restarted(parts);
  expect(again.draft("/edit/p1")).toBeNull();
  expect(again.draft("/edit/p2")?.content).toStrictEqual(about("p2").content);
  const left = again.drafts().find((one) => one.left);
  expect([left?.title, left?.left?.why, left?.content]).toStrictEqual(["修改人员", "gone", { words: { phones: ["222"], note: "新的一句" } }]);
  expect(JSON.stringify(left)).not.toContain("王小明");
  cell.streams = cell.streams.filter((one) => one !== "cell/a");
  await again.sync();
  expect(again.drafts().map((one) => one.left?.why), "cells taken away").toStrictEqual(["gone", "gone"]);
  await again.dropDraft(left?.place ?? "");
  expect(again.drafts()).toHaveLength(1);
});

test("what was found at a door and not told yet is the worker's own word, too; what they chose besides names others and goes", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "王小明" });
  await engine.sync();
  await engine.keepDraft(about("p1", { place: "/notice/n1", content: { note: " 邻居说搬走了 " } }));
  await engine.keepDraft(about("p1", { place: "/person/p1/leave/left", content: { reason: "moved", head: ["p2"], on: "2026-01-02" } }));
  cell.remove("p1", "moved", 2);
  await engine.sync();
  expect(engine.drafts().map((one) => one.content)).toStrictEqual([{ words: {} }, { words: { note: "邻居说搬走了" } }]);
});

test("of a record that was erased nothing stays but that something was begun", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "王小明" });
  await engine.sync();
  await engine.keepDraft(about("p1"));
  cell.remove("p1", "erased", 2);
  await engine.sync();
  expect(engine.drafts()).toStrictEqual([{ place: "/edit/p1", title: "修改人员", at: about("p1").at, type: "person", about: ["p1"], content: null, left: { why: "erased", on: expect.any(Number) } }]);
});

test("a draft about somebody who was only written here, or about nobody, stays as it is", async () => {
  const { engine } = await phone();
  await engine.write([{ kind: "create", type: "person", id: "p9", set: { name: "甲" } }]);
  const kept = [about("p9"), { ...about("none"), about: [] }];
  for (const one of kept) await engine.keepDraft(one);
  await engine.sync();
  expect(engine.drafts()).toStrictEqual([...kept].reverse());
});

test("own words about a record that left go after thirty days of the server's time, never by the phone's clock", async () => {
  const { cell, engine, parts } = await phone();
  cell.put("p1", 1, { name: "王小明" });
  await engine.sync();
  await engine.keepDraft(about("p1"));
  cell.remove("p1", "moved", 2);
  await engine.sync();
  const day = 86_400_000;
  for (const [days, skewDays, left] of [[40, 40, 1], [29, 0, 1], [31, 0, 0]] as const) {
    const later = await restarted(parts, { now: () => Date.now() + days * day });
    cell.skewS = skewDays * 86_400; // so much the server says that this clock is ahead
    await later.write([{ kind: "create", type: "person", set: { name: "乙" } }]);
    await later.sync();
    await later.sync();
    expect(later.drafts(), `${days} days`).toHaveLength(left);
  }
});
