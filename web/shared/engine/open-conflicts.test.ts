import { expect, test } from "vitest";
import { enrolled, device, scripted } from "./kit.ts";
import { Cell } from "./kit-cell.ts";

const sibling = (op_id: string, role: string, sex: string) => ({ op_id, role, by: "某人", claimed_at: null, arrived_at: null, set: { sex } });

/** A phone of a server that tells the open conflicts that a test says. */
async function disputing() {
  const cell = new Cell();
  const disputes: Record<string, unknown>[] = [];
  const server = scripted((path, body) => (path.endsWith("/sync/disputes") ? { body: { disputes } } : cell.answer(path, body)));
  cell.put("p1", 1, { name: "小明", sex: "1" });
  const engine = await enrolled(device(server));
  const differ = (v: number, ...siblings: unknown[]): void => {
    disputes.splice(0, 1, { id: "p1", unit: "sex", v, policy: "review", delegated_to: null, base: {}, siblings });
    cell.put("p1", v, { name: "小明", sex: "1" }, { conflicts: ["sex"] });
  };
  return { cell, engine, differ, disputes };
}

test("two others differ about a record of my cells: it needs me until somebody settles it", async () => {
  const { cell, engine, differ } = await disputing();
  expect(engine.notices()).toStrictEqual([]);
  differ(2, sibling("o1", "current", "1"), sibling("o2", "set_aside", "2"));
  await engine.sync();
  expect(engine.notices()).toMatchObject([{ kind: "conflict", recordId: "p1", unit: "sex", mine: {}, now: { sex: "1" }, needsMe: true }]);
  expect(engine.dispute("p1", "sex")?.siblings).toHaveLength(2);
  cell.put("p1", 3, { name: "小明", sex: "2" });
  await engine.sync();
  expect(engine.notices()).toStrictEqual([]);
});

test("left to the office it is not told again, unless a third value joins", async () => {
  const { cell, engine, differ } = await disputing();
  const [one, two] = [sibling("o1", "current", "1"), sibling("o2", "set_aside", "2")];
  differ(2, one, two);
  await engine.sync();
  await engine.dismiss(engine.notices()[0]!.id);
  expect(engine.notices()).toStrictEqual([]);
  cell.put("p1", 3, { name: "小明明", sex: "1" }, { conflicts: ["sex"] });
  differ(4, two, one);
  await engine.sync();
  expect(engine.notices()).toStrictEqual([]);
  differ(5, one, two, sibling("o3", "set_aside", "9"));
  await engine.sync();
  expect(engine.notices()).toHaveLength(1);
});

test("my own value in an open conflict is told once, with what I wrote; how it was decided is news of its own", async () => {
  const { cell, engine, differ, disputes } = await disputing();
  await engine.write([{ kind: "patch", id: "p1", set: { sex: "2" } }]);
  cell.outcome = "conflict";
  const mine = engine.operations()[0]!.opId;
  differ(2, sibling("o1", "current", "1"), sibling(mine, "set_aside", "2"));
  await engine.sync();
  expect(engine.notices()).toMatchObject([{ kind: "conflict", opId: mine, mine: { sex: "2" }, needsMe: true }]);
  await engine.dismiss(engine.notices()[0]!.id);
  expect(engine.notices()).toStrictEqual([]);
  disputes.length = 0;
  cell.put("p1", 3, { name: "小明", sex: "1" });
  await engine.sync();
  expect(engine.notices()).toMatchObject([{ id: `${mine}/sex`, kind: "conflict", needsMe: false, now: { sex: "1" } }]);
});
