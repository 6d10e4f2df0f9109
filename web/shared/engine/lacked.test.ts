import { expect, test } from "vitest";
import { device, enrolled, restarted, scripted } from "./kit.ts";
import { Cell, phone } from "./kit-cell.ts";

test("S25: what a restored server lost counts as unsent as soon as a push learns of it, also where the line breaks before it went again", async () => {
  const cell = new Cell();
  let breaks = false;
  const server = scripted((path, body) => {
    const said = cell.answer(path, body);
    if (breaks && said?.body["expected"]) server.isOffline = true;
    return said;
  });
  const parts = device(server);
  const engine = await enrolled(parts);
  for (const name of ["甲", "乙"]) await engine.write([{ kind: "create", type: "person", set: { name } }]);
  await engine.sync();
  expect(engine.outbox().unsent).toBe(0);

  Object.assign(cell, { epoch: "e2", applied: { n: 0, op_id: null }, rows: [] });
  await engine.write([{ kind: "create", type: "person", set: { name: "丙" } }]);
  expect(engine.outbox().unsent).toBe(1);
  breaks = true;
  expect((await engine.sync()).problem?.code).toBe("offline");
  expect(engine.outbox().unsent).toBe(3);
  const again = await restarted(parts);
  expect(again.outbox().unsent).toBe(3); // and a rescue file that is saved now holds all three

  server.isOffline = breaks = false;
  cell.seen = [];
  expect((await again.sync()).problem).toBeNull();
  expect(cell.seen.map(({ n }) => n)).toStrictEqual([1, 2, 3]);
  expect(again.outbox().unsent).toBe(0);
});

test("S25: what waits after a restore is not done, though it was before: it stands on the phone and is not forgotten", async () => {
  const { cell, engine } = await phone();
  const { ids } = await engine.write([{ kind: "create", type: "person", set: { name: "甲" } }]);
  const id = ids[0] as string;
  cell.put(id, 1, { name: "甲" });
  await engine.sync();
  expect(engine.operations()[0]).toMatchObject({ outcome: "applied", settled: true });

  Object.assign(cell, { epoch: "e2", applied: { n: 0, op_id: null }, rows: [], outcome: "held", reason: "parent", safeN: 9 });
  await engine.write([{ kind: "create", type: "person", set: { name: "乙" } }]); // by this the push learns of it, before any pull
  await engine.sync();
  await engine.sync();
  expect(engine.operations().map((one) => [one.outcome, one.settled])).toStrictEqual([["held", false], ["held", false]]);
  expect(engine.read(id)?.fields["name"]).toBe("甲");
});

test("S20: an older copy that was put back unnoticed: what the server does not have any more does not stay, once the stream was read again", async () => {
  const { cell, engine, server } = await phone();
  cell.put("p1", 2, { name: "乙" });
  cell.put("p2", 1, { name: "丙" });
  await engine.sync();
  expect(engine.read("p1")?.fields["name"]).toBe("乙");
  const offered = () => server.asked.filter((one) => one.path.endsWith("/witness")).flatMap((one) => one.body["witnesses"] as { record: { id: string; v: number; fields: { name: string } } }[]).map(({ record }) => [record.id, record.v, record.fields.name]);
  expect(offered()).toStrictEqual([]);

  cell.rows = [];
  cell.put("p1", 1, { name: "甲" }); // the streams have as many numbers as before
  expect((await engine.sync()).problem).toBeNull();
  expect(engine.read("p1")).toMatchObject({ version: { v: 1 }, fields: { name: "甲" } });
  expect(engine.read("p2")).toBeNull();
  await engine.sync();
  expect(offered().sort(), "what is gone so is offered to the office (S25)").toStrictEqual([["p1", 2, "乙"], ["p2", 1, "丙"]]);
});

test("S25: a newer version, and a record that has left, are no reason to offer anything", async () => {
  const { cell, engine, server } = await phone();
  cell.put("p1", 1, { name: "甲" });
  await engine.sync();
  cell.put("p1", 2, { name: "乙" });
  await engine.sync();
  await engine.sync();
  expect(server.asked.filter((one) => one.path.endsWith("/witness"))).toHaveLength(0);
});
