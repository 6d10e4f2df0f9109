import { expect, test } from "vitest";
import { openEngine } from "./engine.ts";
import { device, EMPTY_PULL, enrolled, scripted } from "./kit.ts";
import { memoryStore } from "./store-memory.ts";
import { sendSealed } from "./sealed-outbox.ts";
import type { Engine } from "./types.ts";
import { eraseEmptied } from "./waiting.ts";

type Body = Record<string, unknown>;
const PUBLIC = "BJzs8RLyWEB2DbSg4CkbwdC1FQA3edgXre9xo58eiTHh12c_VCflMx48o3kpMFyFTyu1AKmbSB46ywTZGSRrevI";

/** A server that takes a phone out of use when a test says so; `took` counts the operations that arrived. */
function house() {
  const said = { reason: null as string | null, isOffline: false, took: 0, photos: 0, last: { n: 0, op_id: null as string | null } };
  const transport = scripted((path, body) => {
    if (path.endsWith("/enroll")) return { status: 201, body: { community_id: "c1", install_id: "i1", device_token: "t", send_token: "s", server_public_key: PUBLIC, user: { user_id: "u1", name: "网格员", role: "grid_worker" } } };
    const takes = /config|push|blobs/.test(path) && said.reason !== "lost";
    if (said.reason && !takes) return { status: 403, body: { type: "/problems/install-revoked", reason: said.reason } };
    const common = { epoch: "e1", applied: { ...said.last }, safe_n: 0, ...(said.reason ? { revoked: said.reason } : {}) };
    if (path.endsWith("/blobs")) return { status: 201, body: {}, headers: { location: "/api/v1/blobs/uploads/1" } };
    if (path.includes("/uploads/")) {
      said.photos += 1;
      return { status: 204, body: {} };
    }
    if (path.endsWith("/sealed")) {
      for (const one of body["sealed"] as { first_n: number; last_n: number }[]) {
        said.took += one.last_n - one.first_n + 1;
        said.last = { n: one.last_n, op_id: null };
      }
      return { body: { ...common, results: [], applied: { ...said.last } } };
    }
    if (path.endsWith("/push")) {
      const ops = (body["groups"] as { ops: { n: number; op: string }[] }[]).flatMap((group) => group.ops);
      said.took += ops.length;
      const results = ops.map(({ n, op }) => ({ n, op_id: (JSON.parse(op) as { op_id: string }).op_id, first: { outcome: "applied", reason: null }, now: { outcome: "applied", reason: null, status: 1 }, record: null, errors: [] }));
      said.last = { n: ops.at(-1)?.n ?? 0, op_id: results.at(-1)?.op_id ?? null };
      return { body: { ...common, results, applied: { ...said.last } } };
    }
    if (path.endsWith("/config")) return { body: { protocol: 1, min_protocol: 1, epoch: "e1", limits: { max_ops: 2000, max_bytes: 8e6, max_op_bytes: 262144, page_rows: 1000 }, send_token: "s", server_public_key: PUBLIC, revoked: said.reason } };
    return path.endsWith("/pull") ? { body: EMPTY_PULL as Body } : null;
  });
  return { said, transport };
}

async function phone(): Promise<ReturnType<typeof house> & { engine: Engine; parts: ReturnType<typeof device> }> {
  const server = house();
  const parts = device(server.transport);
  const engine = await enrolled(parts);
  await engine.write([{ kind: "create", type: "person", set: { name: "甲" } }]);
  return { ...server, engine, parts };
}

const locked = (parts: ReturnType<typeof device>): Promise<Engine> => openEngine({ ...parts, store: memoryStore(parts.disk) });

async function isEmpty(parts: ReturnType<typeof device>, code: string): Promise<void> {
  expect(parts.disk.blocks.size).toBe(0);
  const later = await locked(parts);
  expect([later.state(), later.problems().map((one) => one.code)]).toStrictEqual(["unenrolled", [code]]);
  await later.enrol({ code: "K7QF-3M9D-XW2P", label: "again", pin: "246810" });
  expect((await locked(parts)).problems()).toStrictEqual([]);
}

test("a lost phone erases records, log and keys at once, and says so also after a restart", async () => {
  const { said, engine, parts } = await phone();
  said.reason = "lost";
  const report = await engine.sync();
  expect([report.erase, report.problem?.code, engine.state(), said.took]).toStrictEqual(["lost", "erased_lost", "unenrolled", 0]);
  expect(engine.problems()[0]?.says.zh).toContain("已报失");
  await isEmpty(parts, "erased_lost");
});

test("a lost phone erases itself without its PIN, also with nothing to send", async () => {
  const { said, engine, parts } = await phone();
  await engine.sync();
  engine.close();
  const closed = await locked(parts);
  expect(await closed.sendSealed()).toMatchObject({ erase: null });
  said.reason = "lost";
  expect(await closed.sendSealed()).toMatchObject({ erase: "lost" });
  expect(closed.state()).toBe("unenrolled");
  await isEmpty(parts, "erased_lost");
});

test.each(["retired", "replaced", "closed"])("a phone that is %s hands over its work and its photos first, then erases itself", async (reason) => {
  const { said, engine, parts } = await phone();
  await engine.keepBlob(new Uint8Array([255, 216, 255, 1]), "image/jpeg");
  said.reason = reason;
  const report = await engine.sync();
  expect([report.erase, said.took, said.photos, engine.state()]).toStrictEqual([reason, 1, 1, "unenrolled"]);
  await isEmpty(parts, "erased_left");
});

test("a retired phone that loses the line keeps everything and goes on the next time", async () => {
  const { said, transport, engine } = await phone();
  said.reason = "retired";
  transport.isOffline = true;
  expect((await engine.sync()).erase).toBeNull();
  expect(engine.unsentCount()).toBe(1);
  transport.isOffline = false;
  expect((await engine.sync()).erase).toBe("retired");
  expect(said.took).toBe(1);
});

test("a retired phone that nobody opens sends its envelopes and erases itself; photos behind the PIN are waited for", async () => {
  const first = await phone();
  first.engine.close();
  first.said.reason = "retired";
  const closed = await locked(first.parts);
  expect(await closed.sendSealed()).toMatchObject({ sent: 1, left: 0, erase: "retired", problem: null });
  expect(first.said.took).toBe(1);
  await isEmpty(first.parts, "erased_left");

  const second = await phone();
  await second.engine.keepBlob(new Uint8Array([255, 216, 255, 1]), "image/jpeg");
  second.engine.close();
  second.said.reason = "retired";
  const waits = await locked(second.parts);
  expect(await waits.sendSealed()).toMatchObject({ erase: null, problem: { code: "leaving" } });
  await waits.unlock("246810");
  expect((await waits.sync()).erase).toBe("retired");
});

test("a retired phone waits for what was begun on it: until it is saved or given up, locked or not, and says so; a lost one does not", async () => {
  const begun = { place: "/new/resource", title: "新增物资", at: "2026-01-02T03:04:05.000Z", content: {} };
  const { said, engine, parts } = await phone();
  await engine.keepDraft(begun);
  said.reason = "retired";
  const report = await engine.sync();
  expect([report.erase, report.problem?.code, report.problem?.details?.["drafts"], engine.state(), said.took]).toStrictEqual([null, "leaving", 1, "ready", 1]);
  expect(engine.problems()[0]?.says.zh).toContain("1 份没写完的");
  engine.close();
  const waits = await locked(parts);
  const sealed = await waits.sendSealed();
  expect([sealed.erase, sealed.problem?.details?.["drafts"]]).toStrictEqual([null, 1]);
  expect(await eraseEmptied(memoryStore(parts.disk), { erase: "retired", lastN: 9 })).toBe(false);
  await waits.unlock("246810");
  await waits.dropDraft(begun.place);
  expect((await waits.sync()).erase).toBe("retired");

  const lost = await phone();
  await lost.engine.keepDraft(begun);
  lost.said.reason = "lost";
  expect((await lost.engine.sync()).erase).toBe("lost");
});

test("a reason that this program does not know erases nothing", async () => {
  const { said, engine } = await phone();
  said.reason = "something new";
  const report = await engine.sync();
  expect([report.erase, report.problem?.code, engine.state()]).toStrictEqual([null, "revoked", "ready"]);
});

test("a worker beside the app erases a retired phone only if nothing was written since it looked; a lost one at once", async () => {
  const { said, transport, engine, parts } = await phone();
  said.reason = "retired";
  const beside = memoryStore(parts.disk);
  const report = await sendSealed(beside, transport, Date.now());
  expect(report).toMatchObject({ left: 0, lastN: 1, erase: "retired" });
  await engine.write([{ kind: "create", type: "person", set: { name: "乙" } }]); // the page was open all the time
  expect(await eraseEmptied(beside, report)).toBe(false);
  const photo = await engine.keepBlob(new Uint8Array([1]), "image/jpeg"); // and it still has its storage
  expect(await eraseEmptied(beside, { ...report, lastN: 2 })).toBe(false);
  await engine.dropBlob(photo);
  expect(await eraseEmptied(beside, { ...report, lastN: 2 })).toBe(true);
  await isEmpty(parts, "erased_left");

  const lost = await phone();
  expect(await eraseEmptied(memoryStore(lost.parts.disk), { erase: "lost", lastN: 0 })).toBe(true);
  await isEmpty(lost.parts, "erased_lost");
});
