import { expect, test } from "vitest";
import { device, enrolled, restarted, scripted } from "./kit.ts";
import { Cell } from "./kit-cell.ts";

const FINDING = {
  item: "finding/f1", kind: "finding", asked_at: "2026-03-02T01:00:00.000Z", id: "p1", type: "person", units: ["marital_code", "birth_date"], finding: "constraint",
  name: "child_married", message: { zh: "未满 15 岁登记为已婚", en: "Married under 15" }, reason: null, errors: [], by: null, claimed_at: null,
};

/** A phone of a server that hands on what a test says. */
async function asking() {
  const cell = new Cell();
  const office: { mark: string | null | undefined; items: Record<string, unknown>[] } = { mark: null, items: [] };
  const server = scripted((path, body) => {
    if (path.endsWith("/sync/asked")) return { body: { mark: office.mark, asked: office.items } };
    const said = cell.answer(path, body);
    return path.endsWith("/pull") && said && office.mark !== undefined ? { body: { ...said.body, asked: office.mark } } : said;
  });
  const parts = device(server);
  cell.put("p1", 1, { name: "小明", birth_date: "2020-01-01", marital_code: "20" });
  const engine = await enrolled(parts);
  return { cell, office, server, parts, engine, asked: () => engine.notices().filter((one) => one.kind === "asked"), fetched: () => server.asked.filter((one) => one.path.endsWith("/sync/asked")).length };
}

test("W8: what the office asks is fetched only where its mark is another one, stands without a signal and after a restart, and goes when it is over", async () => {
  const { office, engine, asked, fetched, parts, server } = await asking();
  expect([asked(), fetched()]).toStrictEqual([[], 0]);
  Object.assign(office, { mark: "m1", items: [FINDING] });
  expect((await engine.sync()).problem).toBeNull();
  await engine.sync();
  expect(fetched()).toBe(1);
  expect(asked()).toMatchObject([{ recordId: "p1", type: "person", says: { zh: "未满 15 岁登记为已婚" }, now: { birth_date: "2020-01-01", marital_code: "20" }, needsMe: true }]);
  server.isOffline = true;
  const again = await restarted(parts);
  expect(again.notices().map((one) => one.kind)).toStrictEqual(["asked"]);
  server.isOffline = false;
  Object.assign(office, { mark: "m2", items: [] });
  await again.sync();
  expect([again.notices(), fetched()]).toStrictEqual([[], 2]);
  Object.assign(office, { mark: null });
  await again.sync();
  expect(fetched()).toBe(2);
});

test("W8: a server of before says nothing of it, and is never asked", async () => {
  const { office, engine, fetched } = await asking();
  office.mark = undefined;
  expect((await engine.sync()).complete).toBe(true);
  expect(fetched()).toBe(0);
});

test("W8: what was found is an ordinary entry that confirms what is right, takes the question off at once, and another question stands anew", async () => {
  const { office, engine, asked, cell } = await asking();
  Object.assign(office, { mark: "m1", items: [FINDING] });
  await engine.sync();
  const [notice] = asked();
  const group = engine.checked(notice!.asked!, "right", " 看过结婚证 ");
  expect(group).toMatchObject([
    { kind: "confirm", id: "p1" },
    { kind: "create", type: "door_check", set: { item: "finding/f1", asked_at: FINDING.asked_at, outcome: "right", person: "p1", note: "看过结婚证" } },
  ]);
  await engine.write(group!);
  expect(asked()).toStrictEqual([]);
  await engine.sync();
  expect(cell.seen.map(({ op }) => (JSON.parse(op) as { kind: string }).kind)).toStrictEqual(["confirm", "create"]);
  Object.assign(office, { mark: "m3", items: [{ ...FINDING, asked_at: "2026-03-03T01:00:00.000Z" }] });
  await engine.sync();
  expect(asked()).toHaveLength(1);
  expect(engine.checked(asked()[0]!.asked!, "nobody", "")).toMatchObject([{ kind: "create", set: { outcome: "nobody" } }]);
  expect(engine.checked({ ...asked()[0]!.asked!, id: "elsewhere" }, "nobody", "")).toBeNull();
});

test("W8: work that waits is told with its reason; a conflict only while it is open on this phone", async () => {
  const { office, engine, asked, cell } = await asking();
  const waits = { ...FINDING, item: "operation/i2/3", kind: "quarantined", message: null, reason: "invalid", units: [], by: "李", errors: [{ pointer: "/set/sex", code: "unknown_code", message: "is not in the list" }] };
  const conflict = { ...FINDING, item: "conflict/c1", kind: "conflict", message: null, units: ["sex"] };
  Object.assign(office, { mark: "m1", items: [waits, conflict] });
  await engine.sync();
  expect(asked().map((one) => one.says.zh)).toStrictEqual(["有人填的没能写入：填写内容有误"]);
  cell.put("p1", 2, { name: "小明", sex: "1" }, { conflicts: ["sex"] });
  await engine.sync();
  expect(asked().map((one) => one.unit).sort()).toStrictEqual(["sex", null].sort());
});

test("W8: what was found about a phone is told in words; nothing can be told at a door about it", async () => {
  const { office, engine, asked } = await asking();
  const kinds = ["missing_range", "op_id_reused", "copied_back"];
  Object.assign(office, { mark: "m1", items: kinds.map((kind) => ({ ...FINDING, item: `finding/${kind}`, id: null, type: null, units: [], finding: kind, name: "7/x", message: null })) });
  await engine.sync();
  expect(asked().map((one) => one.recordId)).toStrictEqual(["", "", ""]);
  expect(new Set([...asked().map((one) => one.says.zh), "这条记录有疑点"]).size).toBe(4);
  expect(engine.checked(asked()[0]!.asked!, "right", "")).toBeNull();
});

test("W8, S25: after a restore the list is that of the restored server", async () => {
  const { office, engine, asked, cell } = await asking();
  Object.assign(office, { mark: "m1", items: [FINDING] });
  await engine.sync();
  cell.epoch = "e2";
  await engine.sync();
  expect(asked()).toHaveLength(1);
  Object.assign(office, { mark: "m0", items: [{ ...FINDING, item: "finding/f0" }] });
  await engine.sync();
  expect(asked().map((one) => one.asked?.item)).toStrictEqual(["finding/f0"]);
});
