import { expect, test, vi } from "vitest";
import { loadPinyin } from "../pinyin/pinyin.ts";
import { openEngine } from "./engine.ts";
import { device, enrolled, restarted, scripted } from "./kit.ts";
import { MemoryDisk, memoryStore } from "./store-memory.ts";
import { EngineError, type Draft, type Engine } from "./types.ts";

const code = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
  } catch (error) {
    if (error instanceof EngineError) return error.code;
    throw error;
  }
  return "nothing";
};

async function home(engine: Engine): Promise<Record<"building" | "dwelling" | "household" | "wang" | "zeng", string>> {
  const [building, dwelling, household, wang, zeng] = [1, 2, 3, 4, 5].map(() => engine.newId()) as [string, string, string, string, string];
  await engine.write([
    { kind: "create", type: "building", id: building, set: { name: "7 幢" } },
    { kind: "create", type: "dwelling", id: dwelling, set: { building, door_number: "301" } },
    { kind: "create", type: "household", id: household, set: { dwelling, kind: "family", head: wang } },
    { kind: "create", type: "person", id: zeng, set: { name: "曾小单", residence_household: household, phones: ["13900005678"], birth_date: "1990-05-01" } },
    { kind: "create", type: "person", id: wang, set: { name: "王吕氏", residence_household: household, sex: "2" } },
  ]);
  return { building, dwelling, household, wang, zeng };
}

test("what was typed is there after a restart without network, and nothing of it lies in the clear", async () => {
  const server = scripted();
  const parts = device(server);
  const engine = await enrolled(parts);
  server.isOffline = true;
  const ids = await home(engine);
  expect(engine.unsentCount()).toBe(5);
  const stored = [...parts.disk.blocks.values()].map((block) => new TextDecoder("utf-8", { fatal: false }).decode(block)).join("") + parts.disk.about;
  for (const secret of ["曾小单", "13900005678", "device_token", '"301"', ids.wang]) expect(stored).not.toContain(secret);

  const again = await openEngine({ ...parts, store: memoryStore(parts.disk) });
  expect(again.state()).toBe("locked");
  expect(again.read(ids.wang)).toBeNull();
  expect((await again.unlock("135790")).ok).toBe(false);
  expect((await again.unlock("246810")).ok).toBe(true);
  expect(again.members(ids.household).map((one) => one.fields["name"])).toStrictEqual(["王吕氏", "曾小单"]);
  expect(again.address(ids.wang)).toBe("7 幢 301");
  expect(again.unsentCount()).toBe(5);
  const report = await again.sync();
  expect(report.problem?.code).toBe("offline");
  expect(again.unsentCount()).toBe(5);
});

test("a person is found by name, sound, initials, phone, address; by a name that sounds alike as a duplicate", async () => {
  const engine = await enrolled(device(scripted()));
  const ids = await home(engine);
  await loadPinyin(); // behind the home screen; however long that takes on a busy machine
  for (const query of ["曾小", "zengxiaoshan", "zxs", "cxd", "zeng小", "5678", "zengxs"]) {
    expect([query, engine.search(query, { types: ["person"] }).map((hit) => hit.id)]).toStrictEqual([query, [ids.zeng]]);
  }
  expect(engine.search("lv").map((hit) => [hit.id, hit.matched])).toStrictEqual([[ids.wang, "pinyin"]]);
  expect(engine.search("7幢301").map((hit) => hit.type)).toContain("dwelling");
  expect(engine.search("   ")).toStrictEqual([]);
  expect(engine.duplicates({ name: "曾晓善", birth_date: "1990-05-01" }).map((one) => one.view.id)).toStrictEqual([ids.zeng]);
  expect(engine.duplicates({ name: "曾小单", birth_date: "1990-05-01" }, ids.zeng)).toStrictEqual([]);
  const behind = await engine.duplicatesBehind({ name: "曾晓善", birth_date: "1990-05-01" }, undefined, () => true);
  expect(behind?.map((one) => one.view.id)).toStrictEqual([ids.zeng]);
});

test("a group applies together or not at all, and says what is wrong in each of its drafts", async () => {
  const engine = await enrolled(device(scripted()));
  const drafts: Draft[] = [
    { kind: "create", type: "building", set: { name: "1 幢" } },
    { kind: "create", type: "person", set: { sex: "7" } },
  ];
  const error = await engine.write(drafts).catch((caught: unknown) => caught as EngineError);
  expect(error).toBeInstanceOf(EngineError);
  expect((error as EngineError).errors.map((one) => [one.draft, one.pointer, one.code])).toStrictEqual([
    [1, "/set/name", "required"],
    [1, "/set/sex", "unknown_code"],
  ]);
  expect(engine.count("building")).toBe(0);
  expect(engine.unsentCount()).toBe(0);
  expect(await code(engine.write([{ kind: "patch", id: "nobody", set: {} }]))).toBe("unknown_record");
});

test("a change keeps what was seen, equal values write nothing, a whole set becomes what was added and removed", async () => {
  const engine = await enrolled(device(scripted()));
  const ids = await home(engine);
  expect((await engine.write([{ kind: "patch", id: ids.zeng, set: { name: "曾小单" } }])).opIds).toStrictEqual([]);
  await engine.write([{ kind: "patch", id: ids.zeng, set: { phones: ["13900005678", "02100001111"], sex: "2", birth_date: null } }]);
  const view = engine.read(ids.zeng);
  expect(view?.fields["phones"]).toStrictEqual(["13900005678", "02100001111"]);
  expect(view?.fields["birth_date"]).toBeUndefined();
  expect(engine.operations({ recordId: ids.zeng }).map((one) => one.kind)).toStrictEqual(["patch", "create"]);
  await engine.write([{ kind: "confirm", id: ids.zeng, units: ["sex"] }, { kind: "delete", id: ids.zeng }]);
  expect(engine.read(ids.zeng)?.life).toBe("deleted");
  expect(engine.list("person").map((one) => one.id)).toStrictEqual([ids.wang]);
});

test("a household that moves takes its members along, at once and on the phone alone", async () => {
  const engine = await enrolled(device(scripted()));
  const ids = await home(engine);
  const next = engine.newId();
  await engine.write([
    { kind: "create", type: "dwelling", id: next, set: { building: ids.building, door_number: "502" } },
    { kind: "command", name: "move_household", id: ids.household, arguments: { dwelling: next, on: "2026-03-01" } },
  ]);
  expect(engine.address(ids.zeng)).toBe("7 幢 502");
  expect(engine.read(ids.zeng)?.fields["resident_from"]).toBe("2026-03-01");
  expect(engine.households(ids.dwelling)).toStrictEqual([]);
  const made = engine.newId();
  const split = { new_household: made, members: [ids.zeng], dwelling: ids.dwelling, head: ids.zeng };
  await engine.write([{ kind: "command", name: "split_household", id: ids.household, arguments: split }]);
  expect(engine.members(made).map((one) => [one.id, one.fields["relation_to_head"]])).toStrictEqual([[ids.zeng, "02"]]);
  await engine.write([{ kind: "command", name: "person_died", id: ids.wang, arguments: { on: "2026-03-02", household: ids.household } }]);
  expect(engine.members(ids.household)).toStrictEqual([]);
  expect(engine.read(ids.household)?.fields["head"]).toBeUndefined();
});

test("wrong PINs slow down, then lock; a kill in between gives no try for free", async () => {
  let now = Date.UTC(2026, 2, 2);
  const parts = device(scripted(), new MemoryDisk(), { now: () => now });
  await enrolled(parts);
  const engine = await openEngine({ ...parts, store: memoryStore(parts.disk) });
  expect((await engine.unlock("000000")).triesLeft).toBe(9);
  await engine.unlock("000000");
  const third = await engine.unlock("000000");
  expect(third.waitS).toBe(15);
  expect((await engine.unlock("246810")).ok).toBe(false); // not looked at before the wait is over
  const reopened = await openEngine({ ...parts, store: memoryStore(parts.disk) });
  expect((await reopened.unlock("246810")).waitS).toBe(15);
  now -= 3_600_000; // a clock set back does not help
  expect((await reopened.unlock("246810")).ok).toBe(false);
  now += 3_600_000 + 15_000;
  expect((await reopened.unlock("246810")).ok).toBe(true);
  reopened.lock();
  for (let turn = 0; turn < 12; turn++) {
    await reopened.unlock("999999");
    now += 4_000_000;
  }
  expect((await reopened.unlock("246810")).lockedOut).toBe(true);
  expect(reopened.state()).toBe("locked");
  expect(await code(reopened.signOut())).toBe("unsent");
  await reopened.signOut({ abandonUnsent: true });
  expect(reopened.state()).toBe("unenrolled");
  expect(parts.disk.blocks.size).toBe(0);
});

test("a changed PIN opens the same work, the old one nothing", async () => {
  const parts = device(scripted());
  const engine = await enrolled(parts);
  const ids = await home(engine);
  expect((await engine.changePin("111111", "777777")).ok).toBe(false);
  expect((await engine.changePin("246810", "777777")).ok).toBe(true);
  const again = await openEngine({ ...parts, store: memoryStore(parts.disk) });
  expect((await again.unlock("246810")).ok).toBe(false);
  expect((await again.unlock("777777")).ok).toBe(true);
  expect(again.read(ids.wang)?.fields["name"]).toBe("王吕氏");
});

test("two tabs do not corrupt anything: the older one writes nothing any more and says so", async () => {
  const parts = device(scripted());
  const first = await enrolled(parts);
  const ids = await home(first);
  const second = await restarted(parts);
  expect(await code(first.write([{ kind: "patch", id: ids.wang, set: { name: "甲" } }]))).toBe("elsewhere");
  expect(first.state()).toBe("elsewhere");
  await second.write([{ kind: "patch", id: ids.wang, set: { name: "乙" } }]);
  const third = await restarted(parts);
  expect(third.read(ids.wang)?.fields["name"]).toBe("乙");
  expect(third.unsentCount()).toBe(6);
});

test("a full phone says that the last entry was not kept, and keeps the rest", async () => {
  const parts = device(scripted());
  const engine = await enrolled(parts);
  const ids = await home(engine);
  parts.disk.room = 0;
  expect(await code(engine.write([{ kind: "patch", id: ids.wang, set: { name: "满" } }]))).toBe("storage_full");
  expect(engine.problems().map((one) => one.code)).toContain("storage_full");
  expect(engine.read(ids.wang)?.fields["name"]).toBe("王吕氏");
  parts.disk.room = Infinity;
  await engine.write([{ kind: "patch", id: ids.wang, set: { name: "有" } }]);
  expect(engine.problems().map((one) => one.code)).not.toContain("storage_full");
  expect((await restarted(parts)).read(ids.wang)?.fields["name"]).toBe("有");
});

test("killed at any step of writing, the entry is there or it is not, and the next one goes on", async () => {
  for (const step of ["write: before commit", "write: committed"]) {
    const parts = device(scripted());
    const engine = await enrolled(parts);
    const ids = await home(engine);
    let isArmed = true;
    const dying = await restarted(parts, { fault: (name) => {
      if (isArmed && name === step) throw new Error("killed");
    } });
    await expect(dying.write([{ kind: "patch", id: ids.wang, set: { name: "新" } }])).rejects.toThrow("killed");
    isArmed = false;
    const after = await restarted(parts);
    expect(after.unsentCount()).toBe(step === "write: committed" ? 6 : 5);
    await after.write([{ kind: "patch", id: ids.wang, set: { name: "后" } }]);
    expect(after.operations()[0]?.n).toBe(after.unsentCount());
  }
});

test("sign-out is refused while work is unsent, until a rescue file was saved; another phone takes the file over", async () => {
  const engine = await enrolled(device(scripted()));
  await home(engine);
  expect(await code(engine.signOut())).toBe("unsent");
  const { file } = await engine.exportRescue("correct horse");
  expect(new TextDecoder().decode(file)).not.toContain("王吕氏");
  expect(await code(engine.signOut())).toBe("unsent");
  await engine.markRescueSaved();
  const other = await enrolled(device(scripted()));
  expect(await code(other.importRescue(file, "wrong horse"))).toBe("passphrase");
  expect(await other.importRescue(file, "correct horse")).toStrictEqual({ operations: 5, skipped: 0, photos: 0 });
  expect(await other.importRescue(file, "correct horse")).toStrictEqual({ operations: 0, skipped: 5, photos: 0 });
  expect(other.search("王吕氏").map((hit) => hit.title)).toContain("王吕氏");
  await engine.signOut();
  expect(engine.state()).toBe("unenrolled");
});

test("without a secure context nothing is kept at all", async () => {
  vi.stubGlobal("crypto", {});
  try {
    const parts = device(scripted());
    const engine = await openEngine(parts);
    expect(engine.state()).toBe("insecure");
    expect(await code(engine.enrol({ code: "x", label: "x", pin: "246810" }))).toBe("state");
    expect(parts.disk.blocks.size).toBe(0);
  } finally {
    vi.unstubAllGlobals();
  }
});

test("photos are kept sealed and come back as they were", async () => {
  const parts = device(scripted());
  const engine = await enrolled(parts);
  const name = await engine.keepBlob(new Uint8Array([1, 2, 3]), "image/jpeg");
  const again = await restarted(parts);
  expect(await again.readBlob(name)).toStrictEqual({ bytes: new Uint8Array([1, 2, 3]), mime: "image/jpeg" });
  expect(await again.readBlob("0")).toBeNull();
  expect(engine.outbox().photos).toBe(1);
});

test("what the first screen kept is there before the records are, sealed, and not once anything has changed", async () => {
  const parts = device(scripted());
  const engine = await enrolled(parts);
  const ids = await home(engine);
  await engine.keepGlance({ due: "曾小山家" });
  expect(engine.glance()).toBeNull();
  const told: unknown[] = [];
  const opened = async (): Promise<Engine> => {
    const before = told.length;
    const again = await openEngine({ ...parts, store: memoryStore(parts.disk) });
    again.on((event) => void (event.name === "glance" && told.push([again.state(), again.glance(), again.outbox().unsent, again.list("person").length, again.identity()?.userName])));
    expect([(await again.unlock("111111")).ok, told.length, (await again.unlock("246810")).ok, again.glance()]).toStrictEqual([false, before, true, null]);
    return again;
  };
  const again = await opened();
  expect(told).toStrictEqual([["locked", { due: "曾小山家" }, again.unsentCount(), 0, "网格员"]]);
  const bytes = [...parts.disk.blocks.values()].map((one) => new TextDecoder().decode(one)).join("");
  expect(bytes).not.toContain("曾小山家");
  await again.write([{ kind: "patch", id: ids.zeng, set: { name: "曾晓善" } }]);
  again.close();
  (await opened()).close();
  expect(told.length).toBe(1);
});
