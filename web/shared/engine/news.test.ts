import { expect, test } from "vitest";
import { restarted } from "./kit.ts";
import { phone } from "./kit-cell.ts";

const told = (engine: Awaited<ReturnType<typeof phone>>["engine"]) => engine.notices().map(({ kind, says, needsMe }) => [kind, says.zh, needsMe]);

test("what is decided when my work is in the backups since long is told until I have read it, also after a restart", async () => {
  const { cell, engine, parts } = await phone();
  Object.assign(cell, { outcome: "held", reason: "proposal", safeN: 9 });
  await engine.write([{ kind: "create", type: "person", id: "p1", set: { name: "甲" } }]);
  await engine.sync();
  const mine = engine.operations()[0]!.opId;
  cell.status(mine, 2, "unchanged", "declined");
  await engine.sync();
  expect(engine.operations()).toStrictEqual([]); // final and safe: forgotten
  expect(told(engine)).toStrictEqual([["declined", "未同意", true]]);
  const again = await restarted(parts);
  await again.sync();
  expect(again.notices()).toMatchObject([{ kind: "declined", opId: mine, recordId: "p1", mine: { name: "甲" } }]);
  await again.dismiss(mine);
  await again.sync();
  expect(again.notices()).toStrictEqual([]);
  expect((await restarted(parts)).notices()).toStrictEqual([]);
});

test("what the office gave up was not recorded, what it agreed to or looked at was, and each is told as that", async () => {
  for (const [waited, ended, words] of [
    [["quarantined", "invalid"], ["unchanged", "discarded"], ["declined", "已作废", true]],
    [["quarantined", "invalid"], ["applied", null], ["released", "社区核对过，已写入；可能改过，请看一下", false]],
    [["held", "proposal"], ["applied", null], ["released", "社区同意了，你填的已写入", false]],
    [["held", "parent"], ["merged", null], ["released", "等的那一条到了，你填的已写入", false]],
  ] as const) {
    for (const safeN of [0, 9]) {
      const { cell, engine } = await phone();
      Object.assign(cell, { outcome: waited[0], reason: waited[1], safeN });
      await engine.write([{ kind: "create", type: "person", id: "p1", set: { name: "甲" } }]);
      await engine.sync();
      cell.status(engine.operations()[0]!.opId, 2, ended[0], ended[1]);
      await engine.sync();
      expect(told(engine)).toStrictEqual([words]);
    }
  }
});

test("a dispute over my value that is decided after my work was forgotten is told with my value; decided for me it is not", async () => {
  for (const [name, news] of [["乙", 1], ["甲", 0]] as const) {
    const { cell, engine } = await phone();
    cell.put("p1", 1, { name: "小" });
    await engine.sync();
    Object.assign(cell, { outcome: "conflict", safeN: 9 });
    await engine.write([{ kind: "patch", id: "p1", set: { name: "甲" } }]);
    cell.put("p1", 2, { name: "乙" }, { conflicts: ["name"] });
    await engine.sync();
    expect(engine.operations()).toStrictEqual([]);
    cell.put("p1", 3, { name });
    await engine.sync();
    const found = engine.notices();
    expect(found).toHaveLength(news);
    if (news) expect(found).toMatchObject([{ kind: "conflict", mine: { name: "甲" }, now: { name: "乙" }, says: { zh: "两人填的不一样，已经决定，现在记的是另一个值" } }]);
    cell.put("p1", 4, { name: "丙" }); // what comes later is no news of that dispute, once it was decided for me
    await engine.sync();
    expect(engine.notices()).toHaveLength(news);
  }
});

test("of somebody who was lawfully erased no news stays on the phone", async () => {
  const { cell, engine, parts } = await phone();
  Object.assign(cell, { outcome: "held", reason: "proposal", safeN: 9 });
  cell.put("p1", 1, { name: "小" });
  await engine.sync();
  await engine.write([{ kind: "patch", id: "p1", set: { name: "甲" } }]);
  await engine.sync();
  cell.status(engine.operations()[0]!.opId, 2, "unchanged", "declined");
  await engine.sync();
  expect(engine.notices()).toHaveLength(1);
  cell.remove("p1", "erased", 2);
  await engine.sync();
  expect(engine.notices()).toStrictEqual([]);
  expect((await restarted(parts)).notices()).toStrictEqual([]);
});
