// Conformance: engines against a real server. What they ended with goes to a file that the Python side compares.
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openEngine } from "./engine.ts";
import { Offline, type EngineParts, type Transport } from "./parts-types.ts";
import { MemoryDisk, memoryStore } from "./store-memory.ts";
import { httpTransport } from "./transport.ts";
import type { Engine } from "./types.ts";

interface Scene {
  url: string;
  codes: string[];
  cells: string[];
  anchor: Record<string, number | string>;
  report: string;
  photo: string;
}

const scene = JSON.parse(process.env["DISHU_LIVE"] ?? "{}") as Scene;
const http = httpTransport(scene.url ?? "");
const PIN = "246810";
let taken = 0;

const parts = (disk: MemoryDisk, more: Partial<EngineParts> = {}): EngineParts => ({ store: memoryStore(disk), transport: http, pinRounds: 10, ...more });

async function enrolled(disk = new MemoryDisk(), more: Partial<EngineParts> = {}): Promise<Engine> {
  const engine = await openEngine(parts(disk, more));
  await engine.enrol({ code: scene.codes[taken++] as string, label: "test phone", pin: PIN });
  return engine;
}

async function reopened(disk: MemoryDisk, more: Partial<EngineParts> = {}): Promise<Engine> {
  const engine = await openEngine(parts(disk, more));
  await engine.unlock(PIN);
  return engine;
}

async function synced(engine: Engine): Promise<void> {
  const report = await engine.sync();
  expect(report.problem).toBeNull();
  expect(report.complete).toBe(true);
}

async function home(engine: Engine, door: string, ...names: string[]): Promise<{ building: string; dwelling: string; household: string; persons: string[] }> {
  const [building, dwelling, household] = [1, 2, 3].map(() => engine.newId()) as [string, string, string];
  const persons = names.map(() => engine.newId());
  await engine.write([
    { kind: "create", type: "building", id: building, set: { name: "1 幢", anchor: scene.anchor } },
    { kind: "create", type: "dwelling", id: dwelling, set: { building, door_number: door } },
    { kind: "create", type: "household", id: household, set: { dwelling, kind: "family" } },
    ...names.map((name, at) => ({ kind: "create" as const, type: "person", id: persons[at] as string, set: { name, residence_household: household } })),
  ]);
  return { building, dwelling, household, persons };
}

/** Loses answers: the request arrives, the answer does not; or it is sent twice. */
function unreliable(lose: (count: number, path: string) => "lost" | "twice" | "fine"): Transport {
  let count = 0;
  return {
    async request(method, path, options) {
      const fate = lose(++count, path);
      const answer = await http.request(method, path, options);
      if (fate === "lost") throw new Offline("the answer was lost");
      return fate === "twice" ? http.request(method, path, options) : answer;
    },
  };
}

test("two workers of one cell write offline, send twice, and end with what the server has", async () => {
  const [one, two] = [await enrolled(), await enrolled()];
  await synced(one);
  await synced(two);
  const ids = await home(one, "101", "赵甲", "赵乙");
  expect(one.outbox().unsent).toBe(5);
  await synced(one);
  expect(one.operations().map((row) => row.outcome)).toStrictEqual(["applied", "applied", "applied", "applied", "applied"]);
  expect(one.read(ids.household)?.home).toBe(`cell/${scene.cells[0]}`);
  await synced(two);
  expect(two.members(ids.household).map((view) => view.fields["name"]).sort()).toStrictEqual(["赵乙", "赵甲"]);

  // both change the same person without having seen each other: two units merge, the one in dispute is told
  const [person] = ids.persons as [string, ...string[]];
  await one.write([{ kind: "patch", id: person, set: { sex: "1", education_code: "20", birth_date: "1980-01-01" } }]);
  await two.write([{ kind: "patch", id: person, set: { marital_code: "20", birth_date: "1981-01-01" } }]);
  await synced(one);
  await synced(two);
  await synced(one);
  for (const engine of [one, two]) {
    expect(engine.read(person)?.fields).toMatchObject({ sex: "1", education_code: "20", marital_code: "20", birth_date: "1980-01-01" });
    expect(engine.read(person)?.conflicts).toStrictEqual(["birth"]);
    expect(engine.read(person)?.pendingOps).toStrictEqual([]);
  }
  expect(two.notices().map((notice) => [notice.kind, notice.unit, notice.mine])).toStrictEqual([["conflict", "birth", { birth_date: "1981-01-01" }]]);
  // the values stand side by side on the phone, so that the worker can settle it at the door
  const dispute = two.dispute(person, "birth");
  expect(dispute?.siblings.map((sibling) => sibling.set["birth_date"]).sort()).toStrictEqual(["1980-01-01", "1981-01-01"]);
  await two.dismiss(two.notices()[0]?.id as string);
  expect(two.notices()).toStrictEqual([]);
  const cells = Object.keys(one.digests()).filter((name) => name.startsWith("cell/"));
  for (const cell of cells) expect(two.digests()[cell]).toStrictEqual(one.digests()[cell]);
  const siblings = (dispute?.siblings ?? []).map((sibling) => sibling.op_id);
  await one.write([{ kind: "confirm", id: person }]);
  await two.write([{ kind: "resolve", id: person, unit: "birth", siblings, set: { birth_date: "1981-01-01" } }]);
  await two.write([{ kind: "patch", id: person, set: { sex: "9" } }]);
  await synced(two);
  await synced(one);
  await synced(one);
  expect(one.notices().filter((notice) => notice.kind === "overwritten").map((notice) => [notice.mine, notice.now])).toContainEqual([{ sex: "1" }, { sex: "9" }]);
  await synced(two);
  for (const engine of [one, two]) {
    expect(engine.read(person)?.conflicts).toStrictEqual([]);
    expect(engine.read(person)?.fields["birth_date"]).toBe("1981-01-01");
    expect(engine.dispute(person, "birth")).toBeNull();
  }

  // a form stands open while the other's value is pulled behind it: a dispute, not a value that nobody has looked at written over
  const other = ids.persons[1] as string;
  const open = one.read(other);
  await two.write([{ kind: "patch", id: other, set: { birth_date: "1970-01-01", phones: ["13900003333"] } }]);
  await synced(two);
  await synced(one);
  await one.write([{ kind: "patch", id: other, set: { birth_date: "1971-01-01", phones: ["13900002222"] }, seen: open }]);
  await synced(one);
  expect(one.operations()[0]?.outcome).toBe("conflict");
  expect(one.read(other)?.conflicts).toStrictEqual(["birth"]);
  expect([...(one.read(other)?.fields["phones"] as string[])].sort()).toStrictEqual(["13900002222", "13900003333"]);
  await synced(two);
  writeFileSync(scene.report, JSON.stringify({ digests: one.digests(), household: ids.household, persons: ids.persons }));
});

test("a move, a split and a death are shown at once, and stand when the server has decided them", async () => {
  const engine = await enrolled();
  await synced(engine);
  const ids = await home(engine, "104", "李甲", "李乙", "李丙");
  const far = await home(engine, "504");
  await synced(engine);
  const made = engine.newId();
  const [first, second, third] = ids.persons as [string, string, string];
  await engine.write([{ kind: "command", name: "move_household", id: ids.household, arguments: { dwelling: far.dwelling, on: "2026-03-01" } }]);
  await engine.write([{ kind: "command", name: "split_household", id: ids.household, arguments: { new_household: made, members: [first], head: first, dwelling: ids.dwelling } }]);
  await engine.write([{ kind: "command", name: "person_died", id: second, arguments: { on: "2026-03-02", household: ids.household } }]);
  const shown = (): unknown => [first, second, third, made, ids.household].map((id) => engine.read(id)?.fields);
  const before = shown();
  expect(engine.members(made).map((view) => view.id)).toStrictEqual([first]);
  expect(engine.members(ids.household).map((view) => view.id)).toStrictEqual([third]);
  await synced(engine);
  await synced(engine);
  expect(engine.operations({ limit: 3 }).map((row) => [row.kind, row.outcome, row.settled])).toStrictEqual([1, 2, 3].map(() => ["command", "applied", true]));
  expect(shown()).toStrictEqual(before);
  for (const id of [first, second, third, made, ids.household]) expect(engine.read(id)?.pendingOps).toStrictEqual([]);
  expect(engine.count("residence", { person: first })).toBeGreaterThan(0);
});

test("a cloned phone goes on as an install of its own; the work of both is there once", async () => {
  const disk = new MemoryDisk();
  await synced(await enrolled(disk));
  const clone = new MemoryDisk();
  Object.assign(clone, { blocks: new Map(disk.blocks), about: disk.about });
  const [one, two] = [await reopened(disk), await reopened(clone)];
  const mine = await home(one, "105", "吴甲");
  await synced(one);
  const yours = await home(two, "106", "吴乙");
  const before = two.identity()?.installId;
  const report = await two.sync();
  expect(report.problem).toBeNull();
  expect(two.identity()?.installId).not.toBe(before);
  await synced(two);
  await synced(one);
  for (const engine of [one, two]) {
    expect(engine.members(mine.household)).toHaveLength(1);
    expect(engine.members(yours.household)).toHaveLength(1);
    expect(engine.unsentCount()).toBe(0);
  }
});

test("a photo goes after its record, from where the line broke, and comes back from another phone's record", async () => {
  const disk = new MemoryDisk();
  await synced(await enrolled(disk));
  const bytes = Uint8Array.from(atob(scene.photo), (one) => one.charCodeAt(0));
  let losses = 0;
  const losing: Transport = {
    async request(method, path, options) {
      const answer = await http.request(method, path, options);
      if (path.includes("/blobs") && losses++ < 2) throw new Offline("the answer was lost");
      return answer;
    },
  };
  const engine = await reopened(disk, { transport: losing });
  const name = await engine.keepBlob(bytes, "image/png");
  await engine.write([{ kind: "create", type: "building", set: { name: "9 幢", anchor: scene.anchor, photos: [name] } }]);
  for (let turn = 0; turn < 2; turn++) expect((await engine.sync()).problem?.code).toBe("offline");
  expect(engine.outbox()).toMatchObject({ unsent: 0, photos: 1 });
  await synced(engine);
  expect(engine.outbox().photos).toBe(0);
  expect((await engine.readBlob(name))?.bytes).toStrictEqual(bytes); // it stays until two backups have it
});

test("lost answers and requests that arrive twice change nothing", async () => {
  const disk = new MemoryDisk();
  const engine = await enrolled(disk);
  await synced(engine);
  await home(engine, "102", "钱甲");
  const losing = await reopened(disk, { transport: unreliable((count) => (count % 3 === 0 ? "fine" : count % 3 === 1 ? "lost" : "twice")) });
  for (let turn = 0; turn < 12; turn++) await losing.sync();
  await home(losing, "103", "钱乙");
  for (let turn = 0; turn < 12; turn++) await losing.sync();
  const after = await reopened(disk);
  await synced(after);
  expect(after.unsentCount()).toBe(0);
  expect(after.operations().every((row) => row.outcome === "applied" && row.settled)).toBe(true);
});

test("killed at every single step of a day, nothing is lost, nothing is there twice, and the copies agree", async () => {
  const disk = new MemoryDisk();
  await synced(await enrolled(disk, { pageLimit: 3 }));
  const names: string[] = [];
  let kills = 0;
  for (let at = 1; at < 200; at++) {
    let count = 0;
    let isKilled = false;
    const fault = (): void => {
      if (isKilled) throw new Error("killed");
      if (++count === at) {
        isKilled = true;
        throw new Error("killed");
      }
    };
    const dying = await reopened(disk, { fault, pageLimit: 3 });
    try {
      if (!names.includes(`孙${at}`)) {
        const before = dying.unsentCount();
        try {
          await home(dying, `2${at}`, `孙${at}`);
        } finally {
          // committed or not: the log says it
          if ((await reopened(disk)).unsentCount() > before) names.push(`孙${at}`);
        }
      }
      const again = isKilled ? dying : await reopened(disk, { fault, pageLimit: 3 });
      await again.sync();
    } catch (error) {
      if (!(error instanceof Error) || error.message !== "killed") throw error;
    }
    if (!isKilled) break;
    kills += 1;
  }
  const last = await reopened(disk);
  await synced(last);
  await synced(last);
  expect(kills).toBeGreaterThan(10);
  expect(last.unsentCount()).toBe(0);
  expect(names.map((name) => last.search(name, { types: ["person"] }).filter((hit) => hit.title === name).length)).toStrictEqual(names.map(() => 1));
  expect(last.operations({ limit: 10_000 }).every((row) => row.outcome === "applied" && row.settled)).toBe(true);
});
