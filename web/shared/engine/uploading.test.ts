import { expect, test } from "vitest";
import { device, EMPTY_PULL, enrolled, scripted } from "./kit.ts";

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
