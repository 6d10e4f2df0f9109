import { expect, test } from "vitest";
import { device, EMPTY_PULL, enrolled, scripted } from "./kit.ts";
import { Offline } from "./parts-types.ts";

test("S26: a photo that a restored server lacks goes up again in the same synchronisation, and stays until it is safe", async () => {
  const said = { has: new Set<string>(), safe: [] as string[], begun: 0 };
  let name = "";
  const server = scripted((path, body) => {
    if (path.endsWith("/blobs")) {
      said.begun += 1;
      return { status: 201, body: {}, headers: { location: "/api/v1/blobs/uploads/1" } };
    }
    if (path.includes("/uploads/")) {
      said.has.add(name);
      return { status: 204, body: {} };
    }
    if (!path.endsWith("/pull")) return null;
    const named = (body["blobs"] as string[] | undefined) ?? [];
    return { body: { ...EMPTY_PULL, blobs_missing: named.filter((one) => !said.has.has(one)), blobs_safe: said.safe } };
  });
  const engine = await enrolled(device(server));
  name = await engine.keepBlob(new Uint8Array([255, 216, 255, 1]), "image/jpeg");
  await engine.sync();
  await engine.sync();
  expect([said.begun, engine.outbox().photos]).toStrictEqual([1, 0]);

  said.has.clear(); // a backup without it was put back
  await engine.sync();
  expect([said.begun, said.has.has(name), engine.outbox().photos]).toStrictEqual([2, true, 0]);

  said.safe = [name];
  await engine.sync();
  said.has.clear();
  await engine.sync();
  expect(said.begun).toBe(2);
});

/** A server that takes photos but those whose name a test gives, and the names of those that it took. */
function picky() {
  const said = { refused: new Set<string>(), taken: [] as string[], breaks: false };
  let coming = "";
  const server = scripted((path) => (path.includes("/uploads/") ? { status: 204, body: {} } : path.endsWith("/pull") ? { body: EMPTY_PULL } : null));
  const usual = server.request;
  server.request = async (method, path, options) => {
    if (said.breaks && path.includes("/blobs")) throw new RangeError("nobody has thought of it");
    if (!path.endsWith("/blobs")) return usual(method, path, options);
    coming = atob(/sha256 ([^,]+)/.exec(options.headers?.["upload-metadata"] ?? "")?.[1] ?? "");
    if (said.refused.has(coming)) return { status: 422, headers: {}, body: { type: "/problems/validation" }, bytesDown: 0, bytesUp: 0 };
    said.taken.push(coming);
    return { status: 201, headers: { location: "/api/v1/blobs/uploads/1" }, body: {}, bytesDown: 0, bytesUp: 0 };
  };
  return { said, server };
}

test("a photo that the server refuses, or that does not open any more, is told and stops no other", async () => {
  const { said, server } = picky();
  const parts = device(server);
  const engine = await enrolled(parts);
  const [refused, broken, good] = [await engine.keepBlob(new Uint8Array([1]), "image/jpeg"), await engine.keepBlob(new Uint8Array([2]), "image/jpeg"), await engine.keepBlob(new Uint8Array([3]), "image/jpeg")];
  said.refused.add(refused);
  parts.disk.blocks.set(`b/${broken}`, new Uint8Array(40));
  const report = await engine.sync();
  expect([report.problem, report.complete, said.taken]).toStrictEqual([null, true, [good]]);
  expect(engine.outbox().photos).toBe(2);
  expect(engine.problems()).toMatchObject([{ code: "photo_stays", severity: "warn", details: { n: 2 } }]);
  said.refused.clear();
  await engine.sync();
  expect(said.taken).toStrictEqual([good, refused]);
  expect(engine.problems()).toMatchObject([{ code: "photo_stays", details: { n: 1 } }]);
});

test("a photo that was taken off again is not sent; one that an entry names is", async () => {
  const { said, server } = picky();
  const engine = await enrolled(device(server));
  const off = await engine.keepBlob(new Uint8Array([1]), "image/jpeg");
  const named = await engine.keepBlob(new Uint8Array([2]), "image/jpeg");
  await engine.write([{ kind: "create", type: "resource", set: { name: "沙袋", kind: "supply", photos: [named] } }]);
  await engine.dropBlob(off);
  await engine.dropBlob(named);
  expect([engine.outbox().photos, await engine.readBlob(off)]).toStrictEqual([1, null]);
  expect((await engine.readBlob(named))?.bytes).toStrictEqual(new Uint8Array([2]));
});

test("a photo that cannot be uploaded goes once it was taken off its record, not while anything shows it", async () => {
  const { said, server } = picky();
  const usual = server.request;
  let applied = { n: 0, op_id: null as string | null };
  server.request = async (method, path, options) => {
    const answer = (body: Record<string, unknown>) => ({ status: 200, headers: {}, body, bytesDown: 0, bytesUp: 0 });
    if (path.endsWith("/pull")) return answer({ ...EMPTY_PULL, applied });
    if (!path.endsWith("/push")) return usual(method, path, options);
    const ops = (options.body as { groups: { ops: { n: number; op: string }[] }[] }).groups.flatMap((group) => group.ops);
    const results = ops.map(({ n, op }) => ({ n, op_id: (JSON.parse(op) as { op_id: string }).op_id, first: { outcome: "held", reason: "parent" }, now: { outcome: "held", reason: "parent", status: 1 }, record: null, errors: [] }));
    applied = { n: results.at(-1)?.n ?? 0, op_id: results.at(-1)?.op_id ?? null };
    return answer({ epoch: "e1", results, applied, safe_n: 0 });
  };
  const parts = device(server);
  const engine = await enrolled(parts);
  const [off, kept, form] = [await engine.keepBlob(new Uint8Array([1]), "image/jpeg"), await engine.keepBlob(new Uint8Array([2]), "image/jpeg"), await engine.keepBlob(new Uint8Array([3]), "image/jpeg")];
  for (const name of [off, kept, form]) said.refused.add(name);
  await engine.write([{ kind: "create", type: "resource", id: "r1", set: { name: "沙袋", kind: "supply", photos: [off, kept] } }]);
  await engine.sync();
  expect([engine.unsentCount(), engine.problems()]).toMatchObject([0, [{ code: "photo_stays", details: { n: 3 } }]]);
  await engine.write([{ kind: "patch", id: "r1", set: { photos: [kept] } }]);
  await engine.dropBlob(off);
  await engine.sync();
  expect(engine.problems()).toMatchObject([{ code: "photo_stays", details: { n: 2 } }]);
  expect([off, kept, form].map((name) => parts.disk.blocks.has(`b/${name}`))).toStrictEqual([false, true, true]);
  await engine.write([{ kind: "delete", id: "r1" }]);
  await engine.dropBlob(form);
  await engine.sync();
  expect([engine.problems(), engine.outbox().photos]).toStrictEqual([[], 0]);
});

test("what nobody has thought of is told as a problem, never by silence; a line that breaks stays a line that broke", async () => {
  const { said, server } = picky();
  const engine = await enrolled(device(server));
  await engine.keepBlob(new Uint8Array([1]), "image/jpeg");
  said.breaks = true;
  const report = await engine.sync();
  expect([report.complete, report.problem?.code, report.problem?.details]).toStrictEqual([false, "failed", { why: "RangeError" }]);
  expect(engine.problems()[0]?.code).toBe("failed");
  server.request = () => Promise.reject(new Offline("no network"));
  expect((await engine.sync()).problem?.code).toBe("offline");
});
