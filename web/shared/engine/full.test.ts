import { expect, test } from "vitest";
import { openEngine } from "./engine.ts";
import { device, enrolled, EMPTY_PULL, scripted } from "./kit.ts";
import { memoryStore } from "./store-memory.ts";
import type { Engine, EngineError } from "./types.ts";

const PUBLIC = "BJzs8RLyWEB2DbSg4CkbwdC1FQA3edgXre9xo58eiTHh12c_VCflMx48o3kpMFyFTyu1AKmbSB46ywTZGSRrevI";
const refusal = (work: Promise<unknown>): Promise<string> => work.then(() => "kept", (error: unknown) => (error as EngineError).code);

/** A server that takes envelopes; `took` counts the operations in them. */
function house() {
  const said = { took: 0, last: { n: 0, op_id: null as string | null }, revoked: null as string | null, isRefused: false };
  const transport = scripted((path, body) => {
    if (path.endsWith("/enroll")) return { status: 201, body: { community_id: "c1", install_id: "i1", device_token: "t", send_token: "s", server_public_key: PUBLIC, user: { user_id: "u1", name: "网格员", role: "grid_worker" } } };
    if (path.endsWith("/config")) return { body: { protocol: 1, min_protocol: 1, epoch: "e1", limits: { max_ops: 2000, max_bytes: 8e6, max_op_bytes: 262144, page_rows: 1000 }, send_token: "s", server_public_key: PUBLIC } };
    if (path.endsWith("/pull")) return { body: EMPTY_PULL };
    if (!path.endsWith("/sealed")) return null;
    if (said.isRefused) return { status: 401, body: { type: "/problems/unauthorized" } };
    for (const one of body["sealed"] as { first_n: number; last_n: number }[]) {
      if (one.last_n > said.last.n) said.took += one.last_n - one.first_n + 1;
      said.last = { n: Math.max(one.last_n, said.last.n), op_id: null };
    }
    return { body: { epoch: "e1", results: [], applied: { ...said.last }, safe_n: 0, ...(said.revoked ? { revoked: said.revoked } : {}) } };
  });
  return { said, transport };
}

async function phone(): Promise<ReturnType<typeof house> & { engine: Engine; parts: ReturnType<typeof device>; waits: number[] }> {
  const server = house();
  const waits: number[] = [];
  const parts = device(server.transport, undefined, { wait: async (ms) => void waits.push(ms) });
  return { ...server, engine: await enrolled(parts), parts, waits };
}
const started = (parts: ReturnType<typeof device>): Promise<Engine> => openEngine({ ...parts, store: memoryStore(parts.disk) });
const sizeOf = (parts: ReturnType<typeof device>): number => [...parts.disk.blocks.values()].reduce((sum, block) => sum + block.length, 0);

test("a full phone is opened with its PIN, says that it is full, and shows and hands over what it has", async () => {
  const { engine, parts, said } = await phone();
  await engine.write([{ kind: "create", type: "person", id: "p1", set: { name: "甲" } }]);
  engine.close();
  parts.disk.room = 0;
  const full = await started(parts);
  expect(full.state()).toBe("locked");
  expect(await full.unlock("000000")).toMatchObject({ ok: false, looked: true, triesLeft: 9 });
  expect((await full.unlock("246810")).ok).toBe(true);
  expect(full.read("p1")?.fields["name"]).toBe("甲");
  expect(full.problems().map((one) => one.code)).toContain("no_room");
  expect(await refusal(full.write([{ kind: "patch", id: "p1", set: { name: "乙" } }]))).toBe("storage_full");
  const report = await full.sync();
  expect([report.problem?.code, said.took, full.unsentCount()]).toStrictEqual(["no_room", 1, 1]);
  parts.disk.room = Infinity;
  await full.write([{ kind: "patch", id: "p1", set: { name: "乙" } }]);
  expect(full.problems().map((one) => one.code)).not.toContain("no_room");
  full.close();
  expect((await (await started(parts)).unlock("246810")).ok).toBe(true);
});

test("tries are counted on a full phone too: in the reserve; where that is gone each takes its time, and a new PIN is refused", async () => {
  const { engine, parts, waits } = await phone();
  engine.close();
  parts.disk.room = sizeOf(parts) - 1000; // what the reserve gives back is enough
  expect(await (await started(parts)).unlock("000000")).toMatchObject({ triesLeft: 9 });
  expect((await started(parts)).tries()).toMatchObject({ triesLeft: 9 });
  expect(waits).toStrictEqual([]);
  parts.disk.room = 0;
  const full = await started(parts);
  await full.unlock("111111");
  expect(waits).toStrictEqual([5000]);
  await full.unlock("246810");
  expect(await refusal(full.changePin("246810", "135791"))).toBe("storage_full");
  parts.disk.room = Infinity;
  expect((await (await started(parts)).unlock("246810")).ok).toBe(true);
  expect((await started(parts)).tries()).toMatchObject({ triesLeft: 10, waitS: 0 });
});

test("how it stands with tries is known after a restart, and a PIN that was not looked at is not called wrong", async () => {
  const { engine, parts } = await phone();
  engine.close();
  const first = await started(parts);
  for (const pin of ["000000", "111111", "222222"]) expect(await first.unlock(pin)).toMatchObject({ looked: true });
  const again = await started(parts);
  expect(again.tries()).toMatchObject({ ok: false, lockedOut: false, triesLeft: 7 });
  expect(again.tries()?.waitS).toBeGreaterThan(0);
  expect(await again.unlock("246810")).toMatchObject({ ok: false, looked: false, triesLeft: 7 });
  expect((await started(device(house().transport))).tries()).toBeNull();
});

test("a phone whose PIN is forgotten is not cleared before its envelopes have arrived", async () => {
  const { engine, parts, said, transport } = await phone();
  await engine.write([{ kind: "create", type: "person", set: { name: "甲" } }]);
  engine.close();
  const locked = await started(parts);
  expect(await locked.waiting()).toStrictEqual({ operations: 1, photos: 0, drafts: 0, isTold: true });
  transport.isOffline = true;
  await locked.sendSealed();
  expect(await refusal(locked.signOut())).toBe("unsent");
  expect(await refusal(locked.signOut({ abandonPhotos: true }))).toBe("unsent");
  transport.isOffline = false;
  await locked.sendSealed();
  expect([said.took, await refusal(locked.signOut()), locked.state()]).toStrictEqual([1, "kept", "unenrolled"]);
});

test("photos behind a forgotten PIN hold the clearing back until they are given up in so many words", async () => {
  const { engine, parts } = await phone();
  await engine.keepBlob(new Uint8Array([255, 216, 255, 1]), "image/jpeg");
  engine.close();
  const locked = await started(parts);
  await locked.sendSealed();
  expect(await locked.waiting()).toStrictEqual({ operations: 0, photos: 1, drafts: 0, isTold: true });
  expect(await refusal(locked.signOut())).toBe("unsent");
  expect(await refusal(locked.signOut({ abandonPhotos: true }))).toBe("kept");
});

test("what was begun and not saved behind a forgotten PIN is counted, and given up in so many words", async () => {
  const { engine, parts } = await phone();
  await engine.keepDraft({ place: "/new/resource", title: "新增物资", at: "2026-01-02T03:04:05.000Z", content: {} });
  engine.close();
  const locked = await started(parts);
  await locked.sendSealed();
  expect(await locked.waiting()).toStrictEqual({ operations: 0, photos: 0, drafts: 1, isTold: true });
  expect(await refusal(locked.signOut({ abandonPhotos: true }))).toBe("unsent");
  expect(await refusal(locked.signOut({ abandonDrafts: true }))).toBe("kept");
});

test("a phone that was taken out of use, with a forgotten PIN, is cleared once its entries have arrived and its photos were given up", async () => {
  const { engine, parts, said, transport } = await phone();
  await engine.write([{ kind: "create", type: "person", set: { name: "甲" } }]);
  await engine.keepBlob(new Uint8Array([255, 216, 255, 1]), "image/jpeg");
  engine.close();
  said.revoked = "retired";
  const locked = await started(parts);
  transport.isOffline = true;
  await locked.sendSealed();
  expect(await refusal(locked.signOut({ abandonPhotos: true }))).toBe("unsent");
  transport.isOffline = false;
  expect(await locked.sendSealed()).toMatchObject({ left: 0, problem: { code: "leaving" }, erase: null });
  expect([said.took, await refusal(locked.signOut())]).toStrictEqual([1, "unsent"]);
  expect([await refusal(locked.signOut({ abandonPhotos: true })), locked.state()]).toStrictEqual(["kept", "unenrolled"]);
});

test.each(["no longer known to the server", "without a network"])("a phone %s, with a forgotten PIN, is cleared where nothing is unsent, and only there", async (how) => {
  const empty = await phone();
  const full = await phone();
  await full.engine.write([{ kind: "create", type: "person", set: { name: "甲" } }]);
  for (const { engine, parts, said, transport } of [empty, full]) {
    engine.close();
    if (how.startsWith("without")) transport.isOffline = true;
    else said.isRefused = true;
    const locked = await started(parts);
    expect((await locked.sendSealed()).problem).not.toBeNull();
    expect(await refusal(locked.signOut({ abandonPhotos: true }))).toBe(engine === empty.engine ? "kept" : "unsent");
  }
});

test("what was written after the envelopes had gone holds the clearing back again, also where the sending ends late", async () => {
  const { engine, parts, transport } = await phone();
  await engine.write([{ kind: "create", type: "person", set: { name: "甲" } }]);
  engine.lock();
  const usual = transport.request;
  let go = (): void => undefined;
  const gate = new Promise<void>((resolve) => (go = resolve));
  transport.request = async (...asked) => gate.then(() => usual(...asked));
  const late = engine.sendSealed();
  await engine.unlock("246810");
  await engine.write([{ kind: "create", type: "person", set: { name: "乙" } }]);
  engine.lock();
  go();
  expect(await late).toMatchObject({ left: 0 });
  expect(await refusal(engine.signOut({ abandonPhotos: true }))).toBe("unsent");
  await engine.sendSealed();
  expect(await refusal(engine.signOut())).toBe("kept");
  expect(parts.disk.blocks.size).toBe(0);
});

test("envelopes leave a phone without its PIN as a file, and another phone hands them over", async () => {
  const { engine, parts, transport } = await phone();
  await engine.write([{ kind: "create", type: "person", set: { name: "甲" } }]);
  engine.close();
  transport.isOffline = true;
  const locked = await started(parts);
  const file = await locked.exportSealed();
  expect(new TextDecoder().decode(file)).not.toContain("甲");
  expect(await refusal(locked.signOut())).toBe("unsent");
  locked.markSealedSaved();
  expect(await refusal(locked.signOut())).toBe("kept");

  const other = house();
  const taker = await enrolled(device(other.transport));
  expect(await taker.sendSealedFile(new Uint8Array([1]))).toBeNull();
  expect(await taker.sendSealedFile(file)).toMatchObject({ sent: 1, left: 0, problem: null });
  expect(await taker.sendSealedFile(file)).toMatchObject({ sent: 1, left: 0, problem: null });
  expect(other.said.took).toBe(1);
  other.transport.isOffline = true;
  expect(await taker.sendSealedFile(file)).toMatchObject({ left: 1, problem: { code: "offline" } });
});
