import { expect, test } from "vitest";
import { vectors } from "../vectors.ts";
import { phone } from "./kit-cell.ts";
import { device, EMPTY_PULL, enrolled, restarted, scripted } from "./kit.ts";
import type { TakenSpan } from "./kept-types.ts";
import { joined } from "./rescue.ts";
import { EngineError, type Engine } from "./types.ts";

const PHOTO = new Uint8Array([255, 216, 255, 1]);
const refusal = (work: Promise<unknown>): Promise<string> => work.then(() => "kept", (error: unknown) => (error as EngineError).code);

/** A server that takes operations and photos. */
function house() {
  const photos: Uint8Array[] = [];
  let applied = { n: 0, op_id: null as string | null };
  const transport = scripted((path, body) => {
    if (path.endsWith("/blobs")) return { status: 201, body: {}, headers: { location: "/api/v1/blobs/uploads/1" } };
    if (path.includes("/uploads/")) {
      photos.push(body as unknown as Uint8Array);
      return { status: 204, body: {} };
    }
    if (!path.endsWith("/push")) return path.endsWith("/pull") ? { body: { ...EMPTY_PULL, applied } } : null;
    const ops = (body["groups"] as { ops: { n: number; op: string }[] }[]).flatMap((group) => group.ops);
    const results = ops.map(({ n, op }) => ({ n, op_id: (JSON.parse(op) as { op_id: string }).op_id, first: { outcome: "applied", reason: null }, now: { outcome: "applied", reason: null, status: 1 }, record: null, errors: [] }));
    applied = { n: ops.at(-1)?.n ?? 0, op_id: results.at(-1)?.op_id ?? null };
    return { body: { epoch: "e1", results, applied, safe_n: 0 } };
  });
  return { photos, transport };
}

async function withPhoto(engine: Engine, bytes = PHOTO): Promise<string> {
  const name = await engine.keepBlob(bytes, "image/jpeg");
  await engine.write([{ kind: "create", type: "resource", set: { name: "沙袋", kind: "supply", photos: [name] } }]);
  return name;
}

test("a photo that was not uploaded holds the sign-out back, also where every record was sent", async () => {
  const { transport } = house();
  const engine = await enrolled(device(transport));
  await withPhoto(engine);
  const push = transport.request;
  transport.request = (method, path, options) => (path.includes("/blobs") ? Promise.resolve({ status: 503, headers: {}, body: {}, bytesDown: 0, bytesUp: 0 }) : push(method, path, options));
  await engine.sync();
  expect(engine.outbox()).toMatchObject({ unsent: 0, photos: 1 });
  expect(await refusal(engine.signOut())).toBe("unsent");
  expect(engine.outbox().photos).toBe(1);
  transport.request = push;
  await engine.sync();
  expect(engine.outbox().photos).toBe(0);
  expect(await refusal(engine.signOut())).toBe("kept");
});

test("a rescue file holds the photos too: the other phone shows and uploads them, this one may be cleared", async () => {
  const parts = device(house().transport);
  const engine = await enrolled(parts);
  const name = await withPhoto(engine);
  const { file, photosLeft } = await engine.exportRescue("correct horse");
  expect(photosLeft).toBe(0);
  await engine.markRescueSaved();
  engine.close();
  const again = await restarted(parts);
  const later = await again.keepBlob(new Uint8Array([255, 216, 255, 2]), "image/jpeg");
  expect(await refusal(again.signOut())).toBe("unsent"); // of the file only what it holds is safe
  expect(later).not.toBe(name);
  await again.exportRescue("correct horse");
  await again.markRescueSaved();
  expect(await refusal(again.signOut())).toBe("kept");

  const other = house();
  const taker = await enrolled(device(other.transport));
  expect(await taker.importRescue(file, "correct horse")).toStrictEqual({ operations: 1, skipped: 0, photos: 1 });
  expect(await taker.importRescue(file, "correct horse")).toStrictEqual({ operations: 0, skipped: 1, photos: 0 });
  expect((await taker.readBlob(name))?.bytes).toStrictEqual(PHOTO);
  await taker.sync();
  expect(other.photos).toStrictEqual([PHOTO]);
});

test("what is written after the file was made is not counted as rescued; photos without room in it hold the sign-out back until the next file holds them", async () => {
  const engine = await enrolled(device(house().transport, undefined, { rescueRoom: 100 }));
  await engine.exportRescue("correct horse");
  await withPhoto(engine);
  await engine.markRescueSaved();
  expect(await refusal(engine.signOut())).toBe("unsent");
  await engine.keepBlob(new Uint8Array(100), "image/jpeg");
  expect((await engine.exportRescue("correct horse")).photosLeft).toBe(1);
  await engine.markRescueSaved();
  expect(await refusal(engine.signOut())).toBe("unsent");
  const second = await engine.exportRescue("correct horse");
  expect(second.photosLeft).toBe(0);
  await engine.markRescueSaved();
  const taker = await enrolled(device(house().transport));
  expect(await taker.importRescue(second.file, "correct horse")).toMatchObject({ photos: 1 });
  expect(await refusal(engine.signOut())).toBe("kept"); // the first file has the other one
});

test("a photo that does not open any more is told, is in no file, and does not hold the sign-out back", async () => {
  const parts = device(house().transport);
  const engine = await enrolled(parts);
  const name = await withPhoto(engine);
  parts.disk.blocks.set(`b/${name}`, new Uint8Array(40));
  await engine.keepBlob(new Uint8Array([2]), "image/jpeg");
  const { file, photosLeft, photosBroken } = await engine.exportRescue("correct horse");
  expect([photosLeft, photosBroken]).toStrictEqual([0, 1]);
  await engine.markRescueSaved();
  expect(await (await enrolled(device(house().transport))).importRescue(file, "correct horse")).toMatchObject({ operations: 1, photos: 1 });
  expect(await refusal(engine.signOut())).toBe("kept");
});

test("a server that was restored has lost what it answered: no file holds that, so the sign-out waits for it", async () => {
  for (const epoch of ["e1", "e2"]) {
    const { cell, engine } = await phone();
    await engine.write([{ kind: "create", type: "person", id: "p1", set: { name: "甲" } }]);
    await engine.sync();
    await engine.write([{ kind: "create", type: "person", id: "p2", set: { name: "乙" } }]);
    await engine.exportRescue("correct horse"); // of the second only
    await engine.markRescueSaved();
    await engine.sync();
    Object.assign(cell, { applied: { n: 0, op_id: null }, epoch });
    const answer = cell.answer;
    cell.answer = (path, body) => (path.endsWith("/push") ? { status: 503, body: {} } : answer(path, body));
    await engine.sync();
    expect([engine.outbox().unsent, await refusal(engine.signOut())], epoch).toStrictEqual([2, "unsent"]);
    await engine.exportRescue("correct horse");
    await engine.markRescueSaved();
    expect(await refusal(engine.signOut()), epoch).toBe("kept");
  }
});

test.each(vectors<{ cases: { name: string; spans: TakenSpan[]; joined: TakenSpan[] }[] }>("taken/cases.json").cases)("S30: what was taken over is told in few spans: $name", (one) => {
  expect(joined(one.spans)).toStrictEqual(one.joined);
});

test("S30: a push tells a hundred spans; that work was taken over at all is never what goes", () => {
  const span = (n: number): TakenSpan => ({ seen: `e:${n}`, after: n, last_n: n + 1 });
  const read = Array.from({ length: 108 }, (_, n) => span(n));
  expect(joined([{ seen: "", after: 0, last_n: 200 }, ...read])).toStrictEqual([{ seen: "", after: 0, last_n: 200 }, ...read.slice(9)]);
});
