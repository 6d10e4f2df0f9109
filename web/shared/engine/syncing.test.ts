import { expect, test } from "vitest";
import { device, EMPTY_PULL, enrolled, restarted, scripted } from "./kit.ts";
import { Cell, phone } from "./kit-cell.ts";
import { Offline } from "./parts-types.ts";
import type { Draft } from "./types.ts";

test("a record that leaves says so; a deleted one keeps its envelope and loses its values", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "甲" });
  cell.put("p2", 1, { name: "乙" });
  await engine.sync();
  expect(engine.count("person")).toBe(2);
  cell.remove("p1", "moved", 1);
  cell.remove("p2", "deleted", 2);
  expect((await engine.sync()).complete).toBe(true);
  expect(engine.read("p1")).toBeNull();
  expect(engine.read("p2")).toMatchObject({ life: "deleted", fields: {}, version: { v: 2 } });
  expect(engine.digests()["cell/a"]).toStrictEqual({ count: 0, digest: "0".repeat(32) });
});

test("S23: of what this phone may not read any more the bare envelope takes the place, counts, and shows nothing", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "甲" });
  await engine.sync();
  const bare = { id: "p1", v: 1, tag: "1".padStart(16, "0") };
  cell.rows.push({ stream: "cell/a", seq: 2, kind: "PUT", record: bare });
  expect((await engine.sync()).complete).toBe(true);
  expect(engine.read("p1")).toBeNull();
  expect([engine.count("person"), engine.search("甲").length, engine.digests()["cell/a"]?.count]).toStrictEqual([0, 0, 1]);
  cell.put("p1", 1, { name: "甲" });
  await engine.sync();
  expect(engine.read("p1")).toMatchObject({ fields: { name: "甲" } });
});

test("the own value stays over an older copy until the copy contains it", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "甲" });
  await engine.sync();
  await engine.write([{ kind: "patch", id: "p1", set: { sex: "1" } }]);
  cell.put("p1", 2, { name: "丙" });
  cell.put("p1", 3, { name: "丙", sex: "1" });
  expect((await engine.sync()).sent).toBe(1);
  expect(engine.read("p1")).toMatchObject({ fields: { name: "丙", sex: "1" }, pendingOps: [], version: { v: 3 } });
  expect(engine.operations()[0]).toMatchObject({ settled: true, outcome: "applied" });
});

test("copies that differ are read anew; where that does not help either the person is told", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "甲" });
  cell.lies = 1;
  expect(await engine.sync()).toMatchObject({ complete: true, agreed: 1 });
  cell.lies = 9;
  const report = await engine.sync();
  expect([report.problem?.code, report.agreed]).toStrictEqual(["copies_doubtful", 0]);
  expect(engine.problems().map((one) => one.code)).toContain("copies_doubtful");
  cell.lies = 0;
  expect((await engine.sync()).complete).toBe(true);
  expect(engine.problems()).toStrictEqual([]);
});

test("a cell that is taken away leaves the phone, unsent work stays, and the person is told once", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "甲" });
  await engine.sync();
  await engine.write([{ kind: "patch", id: "p1", set: { sex: "1" } }]);
  cell.streams = ["install/i1", "cell/b", "~reference"];
  cell.version = 2;
  cell.rows = [];
  const report = await engine.sync();
  expect(report.dropped).toStrictEqual(["cell/a"]);
  expect(engine.problems().map((one) => [one.code, one.details])).toStrictEqual([["scope_changed", { added: ["cell/b"], dropped: ["cell/a"] }]]);
  await engine.dismiss("scope_changed");
  expect(engine.problems()).toStrictEqual([]);
  expect(cell.seen).toHaveLength(1);
  expect(engine.read("p1")).toBeNull();
});

test("a restored server gets again what it lost, under the same ids and bytes, and copies that it lacks are offered once", async () => {
  const { cell, engine, server } = await phone();
  const { opIds } = await engine.write([{ kind: "create", type: "person", id: "p1", set: { name: "甲" } }]);
  cell.put("p1", 1, { name: "甲" });
  cell.put("p9", 4, { name: "只在旧库" });
  await engine.sync();
  expect(engine.operations()[0]?.settled).toBe(true);
  const [before] = cell.seen;
  Object.assign(cell, { epoch: "e2", applied: { n: 0, op_id: null }, rows: [], skewS: -91 * 86_400 });
  const report = await engine.sync();
  expect(report.reopened).toBe(1);
  expect(engine.operations(), "its 90 days begin anew: this life has it for a moment only").toHaveLength(1);
  expect(cell.seen).toStrictEqual([before, before]);
  expect(JSON.parse(before?.op ?? "{}")).toMatchObject({ op_id: opIds[0] });
  const offered = server.asked.filter((one) => one.path.endsWith("/witness")).flatMap((one) => one.body["witnesses"] as { epoch: string; record: { id: string } }[]);
  expect(offered.map((one) => [one.epoch, one.record.id]).sort()).toStrictEqual([["e1", "p1"], ["e1", "p9"]]);
  expect(engine.read("p9")).toBeNull();
  cell.put("p1", 1, { name: "甲" });
  await engine.sync();
  expect(engine.read("p1")?.fields["name"]).toBe("甲");
  expect(server.asked.filter((one) => one.path.endsWith("/witness"))).toHaveLength(1);
});

test("a cloned phone goes on as an install of its own: the same operations under new numbers", async () => {
  const { cell, engine, server } = await phone();
  await engine.write([{ kind: "create", type: "person", id: "p1", set: { name: "甲" } }]);
  cell.put("p1", 1, { name: "甲" });
  await engine.sync();
  await engine.write([{ kind: "patch", id: "p1", set: { sex: "1" } }]);
  const usual = cell.answer;
  cell.applied = { n: 2, op_id: "somebody else's" };
  cell.answer = (path, body) => {
    if (!path.endsWith("/fork")) return usual(path, body);
    Object.assign(cell, { applied: { n: 0, op_id: null }, seen: [], streams: ["install/i2", "cell/a", "~reference"] });
    return { body: { install_id: "i2", device_token: "t2" } };
  };
  const before = engine.operations().map((one) => one.opId);
  const report = await engine.sync();
  expect(report.problem).toBeNull();
  expect(server.asked.find((one) => one.path.endsWith("/fork"))?.body["log"]).toStrictEqual([...before].reverse().map((opId, at) => [at + 1, opId]));
  expect(engine.identity()?.installId).toBe("i2");
  expect(cell.seen.map((one) => (JSON.parse(one.op) as { op_id: string }).op_id)).toStrictEqual([...before].reverse());
  expect(engine.operations().map((one) => one.opId)).toStrictEqual(before);
  expect(engine.unsentCount()).toBe(0);
});

test("a cloned phone that cannot fork keeps everything, and its work comes in through a rescue file", async () => {
  const { cell, engine } = await phone();
  await engine.write([{ kind: "create", type: "person", set: { name: "甲" } }]);
  cell.applied = { n: 1, op_id: "somebody else's" };
  expect((await engine.sync()).problem?.code).toBe("busy");
  expect(engine.problems().map((one) => one.code)).toStrictEqual(["busy", "fork_needed"]);
  const sent = cell.seen.length;
  await engine.sync();
  expect(cell.seen).toHaveLength(sent);
  const { file } = await engine.exportRescue("correct horse");
  const other = await phone();
  await other.engine.importRescue(file, "correct horse");
  expect((await other.engine.sync()).complete).toBe(true);
  expect(other.cell.seen).toHaveLength(1);
});

test("refusals of every kind stop or wait in words, and nothing is lost", async () => {
  const refusals: [number, string, string][] = [
    [403, "install-revoked", "revoked"],
    [401, "token-refused", "token_refused"],
    [403, "outside-your-scope", "role_refused"],
    [422, "invalid-input", "refused"],
    [503, "busy", "busy"],
    [500, "unexpected", "busy"],
  ];
  for (const [status, slug, expected] of refusals) {
    const { cell, engine } = await phone();
    await engine.write([{ kind: "create", type: "person", set: { name: "甲" } }]);
    const usual = cell.answer;
    let isRefusing = true;
    const server = scripted((path, body) => (isRefusing && path.endsWith("/push") ? { status, body: { type: `/problems/${slug}` }, headers: { "retry-after": "7" } } : usual(path, body)));
    Object.assign(engine as unknown as { parts: { transport: unknown } }, { parts: { ...(engine as unknown as { parts: object }).parts, transport: server } });
    const report = await engine.sync();
    expect(report.problem?.code).toBe(expected);
    if (status === 503) expect(report.problem?.retryAfterS).toBe(7);
    expect(report.problem?.next.zh).not.toBe("");
    expect(engine.unsentCount()).toBe(1);
    isRefusing = false;
    expect((await engine.sync()).complete).toBe(true);
    expect(engine.unsentCount()).toBe(0);
  }
});

test("a program that is too old says so before it sends anything; a wrong clock is told", async () => {
  const cell = new Cell();
  let min = 1;
  const server = scripted((path, body) => {
    if (path.endsWith("/config")) return { body: { protocol: 2, min_protocol: min, limits: { max_ops: 2, max_bytes: 8e6 } } };
    const said = cell.answer(path, body);
    return said && path.endsWith("/push") ? { body: { ...said.body, skew_s: 4000 } } : said;
  });
  const parts = device(server);
  const engine = await enrolled(parts);
  await engine.write([{ kind: "create", type: "person", set: { name: "甲" } }]);
  await engine.sync();
  expect(engine.problems().map((one) => [one.code, one.details])).toStrictEqual([["clock_wrong", { skew_s: 4000 }]]);
  min = 2;
  const newer = await restarted(parts, { appVersion: "next" });
  await newer.write([{ kind: "create", type: "person", set: { name: "乙" } }]);
  expect((await newer.sync()).problem?.code).toBe("version_old");
  expect(newer.unsentCount()).toBe(1);
});

test("what waited is told when it is over; what was refused stays in sight until it is dismissed", async () => {
  const { cell, engine } = await phone();
  Object.assign(cell, { outcome: "held", reason: "parent" });
  const { opIds } = await engine.write([{ kind: "create", type: "person", set: { name: "甲" } }]);
  await engine.sync();
  expect(engine.notices().map((one) => one.kind)).toStrictEqual(["held"]);
  expect(engine.outbox()).toMatchObject({ unsent: 0, waiting: 1 });
  cell.status(opIds[0] as string, 2, "applied");
  await engine.sync();
  expect(engine.notices().map((one) => one.kind)).toStrictEqual(["released"]);
  Object.assign(cell, { outcome: "quarantined", reason: "invalid" });
  await engine.write([{ kind: "create", type: "person", set: { name: "乙" } }]);
  await engine.sync();
  const [refused] = engine.notices();
  expect(refused).toMatchObject({ kind: "quarantined", needsMe: true, mine: { name: "乙" } });
  await engine.dismiss(refused?.id as string);
  expect(engine.notices().map((one) => one.kind)).toStrictEqual(["released"]);
});

test("a held entry says what it waits for: what is not there yet, or the own entry in its way", async () => {
  const { cell, engine, server } = await phone();
  Object.assign(cell, { outcome: "held", reason: "parent" });
  const { ids } = await engine.write([{ kind: "create", type: "person", set: { name: "甲", residence_household: "h-elsewhere" } }]);
  await engine.sync();
  expect(engine.notices()[0]?.waitsFor).toStrictEqual({ recordId: "h-elsewhere", says: { zh: "还没有上传到服务器", en: "it has not reached the server yet" } });
  Object.assign(cell, { reason: "behind" });
  await engine.write([{ kind: "patch", id: ids[0] as string, set: { name: "甲甲" } }]);
  await engine.sync();
  const [behind] = engine.notices();
  expect(behind?.waitsFor?.recordId).toBe(ids[0]);
  expect(behind?.waitsFor?.says.zh).toContain("等另一条");
  const pulls = server.asked.filter((one) => one.path.endsWith("/pull"));
  expect(pulls.every((one) => one.body["unsent"] === 0)).toBe(true);
});

test("own work is forgotten only when it is safe; numbers go on, and a server that lost it is told what is missing", async () => {
  const { cell, engine, server, parts } = await phone();
  for (const name of ["甲", "乙"]) {
    await engine.write([{ kind: "create", type: "person", id: `p-${name}`, set: { name } }]);
    cell.put(`p-${name}`, 1, { name });
  }
  await engine.sync();
  expect(engine.operations()).toHaveLength(2);
  const [second, first] = engine.operations().map((one) => one.opId);
  cell.safeN = 1;
  await engine.sync();
  expect(engine.operations().map((one) => one.n)).toStrictEqual([2]);
  cell.safeN = 2;
  await engine.sync();
  expect(engine.operations()).toStrictEqual([]);
  const again = await restarted(parts);
  await again.write([{ kind: "create", type: "person", set: { name: "丙" } }]);
  expect(again.operations()[0]?.n).toBe(3);
  expect(second).not.toBe(first);
  // an older backup is put back: what it lacks is not here any more
  const usual = cell.answer;
  cell.applied = { n: 1, op_id: first as string };
  cell.answer = (path, body) => {
    if (path.endsWith("/push") && body["missing"]) cell.applied = { n: 2, op_id: second as string };
    return usual(path, body);
  };
  expect((await again.sync()).complete).toBe(true);
  const pushes = server.asked.filter((one) => one.path.endsWith("/push")).map((one) => one.body);
  expect(pushes.at(-1)).toMatchObject({ after: { n: 2, op_id: second }, missing: { n: 1, op_id: first } });
  expect(again.unsentCount()).toBe(0);
});

test("a phone that is locked in the middle of a synchronisation keeps everything and says nothing wrong", async () => {
  const { cell, parts } = await phone();
  cell.put("p1", 1, { name: "甲" });
  let isCalled = true;
  const engine = await restarted(parts, { fault: (step) => {
    if (isCalled && step === "pull: answered") engine.lock();
  } });
  const report = await engine.sync();
  expect([report.complete, report.problem, engine.state()]).toStrictEqual([false, null, "locked"]);
  isCalled = false;
  expect((await engine.unlock("246810")).ok).toBe(true);
  expect((await engine.sync()).complete).toBe(true);
  expect(engine.count("person")).toBe(1);
});

test("progress tells the phase and how much; a second request for a synchronisation joins the first", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "甲" });
  await engine.write([{ kind: "create", type: "person", set: { name: "乙" } }]);
  const phases: string[] = [];
  const [one, two] = await Promise.all([engine.sync((progress) => phases.push(progress.phase)), engine.sync()]);
  expect(two).toBe(one);
  expect([...new Set(phases)]).toStrictEqual(["push", "pull", "reference", "done"]);
  expect(one).toMatchObject({ sent: 1, received: 1, outcomes: { applied: 1 }, unsentLeft: 0 });
});

test("a first synchronisation tells how much there is, as the server said where the streams began", async () => {
  const row = (id: string, seq: number) => ({ stream: "cell/a", seq, kind: "PUT", record: { id, v: 1, tag: "00" } });
  const pages: Record<string, unknown>[] = [];
  const engine = await enrolled(device(scripted((path) => (path.endsWith("/pull") && pages.length ? { body: pages.shift()! } : null))));
  pages.push({ ...EMPTY_PULL, complete: false, rows: [row("p1", 1)], coming_count: 2 }, { ...EMPTY_PULL, rows: [row("p2", 2), row("p3", 3)] });
  const told: [number, number | null][] = [];
  await engine.sync(({ phase, done, total }) => phase === "pull" && told.push([done, total]));
  expect(told).toStrictEqual([[0, null], [1, 2], [3, 3]]); // one has come meanwhile: the bar is full, not more than full
});

test("a page that the line could not carry is asked for in a smaller one at the next try", async () => {
  let isWeak = false;
  const transport = scripted((path, { limit }) => {
    if (isWeak && path.endsWith("/pull") && !(Number(limit) > 0 && Number(limit) <= 300)) throw new Offline("no whole answer arrived");
    return null;
  });
  const engine = await enrolled(device(transport));
  isWeak = true;
  expect((await engine.sync()).problem?.code).toBe("offline");
  expect((await engine.sync()).problem).toBeNull();
});

test("S28: a token under the house's new secret is used from then on, also after a restart", async () => {
  const limits = { max_ops: 2000, max_bytes: 8e6, max_op_bytes: 262144, page_rows: 1000 };
  let isRotated = false;
  const transport = scripted((path) => (isRotated && path.endsWith("/config") ? { body: { protocol: 1, min_protocol: 1, epoch: "e1", limits, device_token: "t2" } } : null));
  const parts = device(transport);
  await enrolled(parts);
  isRotated = true;
  const engine = await restarted(parts, { appVersion: "2" });
  await engine.sync();
  await (await restarted(parts)).sync();
  const used = (what: string): (string | undefined)[] => transport.asked.filter(({ path }) => path.endsWith(what)).map(({ token }) => token);
  expect(used("/pull").slice(-2)).toStrictEqual(["t2", "t2"]);
  expect(used("/config").slice(0, 2)).toStrictEqual(["t", "t"]);
});

test("a move to another community is not written beside anything else", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "甲" });
  await engine.sync();
  const move: Draft = { kind: "command", name: "move_person", id: "p1", arguments: { community: "c2", on: "2026-03-01" } };
  const edit: Draft = { kind: "patch", id: "p1", set: { name: "乙" } };
  for (const group of [[edit, move], [move, edit], [move, move]]) {
    await expect(engine.write(group)).rejects.toMatchObject({ code: "not_alone" });
  }
  expect(engine.operations()).toHaveLength(0);
  expect(engine.read("p1")?.fields["name"]).toBe("甲");
  expect((await engine.write([move])).opIds).toHaveLength(1);
});

test("who is to move to another community stays until it has accepted, and the phone says in words what it waits for", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "甲" });
  await engine.sync();
  await engine.write([{ kind: "command", name: "move_person", id: "p1", arguments: { community: "c2", on: "2026-03-01" } }]);
  expect(engine.operations({ recordId: "p1", onlyOpen: true })).toMatchObject([{ crossingTo: "c2", state: "unsent" }]);
  Object.assign(cell, { outcome: "held", reason: "proposal" });
  await engine.sync();
  expect(engine.read("p1")).toMatchObject({ fields: { name: "甲" }, life: "live" });
  expect(engine.operations({ recordId: "p1" })).toMatchObject([{ crossingAt: "here" }]);
  expect(engine.operations({ recordId: "p1" })[0]?.says.zh).toBe("已收到，等本社区书记确认");
  cell.status(engine.operations({ recordId: "p1" })[0]!.opId, 2, "held", "proposal", [{ pointer: "/arguments/community", code: "asked_there", message: "asked" }]);
  await engine.sync();
  const [standing] = engine.operations({ recordId: "p1" });
  expect(standing).toMatchObject({ crossingAt: "there", errors: [] });
  expect(standing?.says.zh).toContain("等对方社区接收");
  expect(engine.notices()[0]?.says.en).toContain("the other community has to accept it");
  cell.status(standing!.opId, 3, "applied", "moved");
  cell.remove("p1", "moved", 2);
  await engine.sync();
  expect(engine.operations({ recordId: "p1", onlyOpen: true })).toStrictEqual([]);
  expect(engine.notices()[0]?.says.zh).toBe("对方社区已接收，资料已转过去");
});

test("S30: a push tells which departures this phone had read of, and which own work is older than that", async () => {
  const { cell, engine } = await phone();
  cell.put("p1", 1, { name: "甲" });
  await engine.sync();
  await engine.write([{ kind: "patch", id: "p1", set: { name: "乙" } }]);
  cell.departures = "e1:7";
  await engine.sync();
  await engine.write([{ kind: "patch", id: "p1", set: { name: "丙" } }]);
  await engine.sync();
  expect(cell.echoed).toStrictEqual([{ seen: "e1:0", last_n: 0 }, { seen: "e1:7", last_n: 1 }]);
});

test("S30: what its author had read of goes along with work that is taken over, by the numbers that it gets here", async () => {
  const old = await phone();
  old.cell.put("p1", 1, { name: "甲" });
  old.cell.departures = "e1:9";
  await old.engine.sync();
  await old.engine.write([{ kind: "patch", id: "p1", set: { name: "丙" } }]);
  const { file } = await old.engine.exportRescue("correct horse");
  const { cell, engine } = await phone();
  await engine.write([{ kind: "create", type: "person", set: { name: "丁" } }]);
  await engine.importRescue(file, "correct horse");
  await engine.write([{ kind: "create", type: "person", set: { name: "戊" } }]);
  await engine.sync();
  expect(cell.echoed).toStrictEqual([{ seen: "e1:0", last_n: 2, taken: [{ seen: "", after: 1, last_n: 2 }, { seen: "e1:9", after: 1, last_n: 2 }] }]);
});

test("S30, S18: work of a rescue file is told as written without what this phone has read", async () => {
  const old = await phone();
  await old.engine.write([{ kind: "create", type: "person", set: { name: "甲" } }]);
  const { file } = await old.engine.exportRescue("correct horse");
  const { cell, engine } = await phone();
  cell.departures = "e1:7";
  await engine.sync();
  await engine.write([{ kind: "create", type: "person", set: { name: "乙" } }]);
  await engine.importRescue(file, "correct horse");
  await engine.write([{ kind: "create", type: "person", set: { name: "丙" } }]);
  await engine.sync();
  expect(cell.echoed).toStrictEqual([{ seen: "e1:7", last_n: 2, taken: [{ seen: "", after: 1, last_n: 2 }, { seen: "e1:0", after: 1, last_n: 2 }] }]);
});
