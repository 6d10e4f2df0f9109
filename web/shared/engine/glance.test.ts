import { expect, test } from "vitest";
import { device, enrolled, REFERENCE, scripted } from "./kit.ts";
import { openEngine } from "./engine.ts";
import { memoryStore } from "./store-memory.ts";
import type { EngineParts } from "./parts-types.ts";
import type { MemoryDisk } from "./store-memory.ts";

/** What stands of the first screen before the records are open, after a restart. */
async function glanced(parts: EngineParts & { disk: MemoryDisk }): Promise<unknown> {
  const again = await openEngine({ ...parts, store: memoryStore(parts.disk) });
  let found: unknown = null;
  again.on((event) => void (event.name === "glance" && (found = again.glance())));
  await again.unlock("246810");
  return found;
}

/** Answers every operation of a push alike; receives nothing. */
const answering = (outcome: string) => (body: Record<string, unknown>): { body: Record<string, unknown> } => {
  const ops = (body["groups"] as { ops: { n: number; op: string }[] }[]).flatMap((group) => group.ops);
  const results = ops.map(({ n, op }) => {
    const said = { outcome, reason: null };
    return { n, op_id: (JSON.parse(op) as { op_id: string }).op_id, first: said, now: { ...said, status: 1 }, record: null, errors: [] };
  });
  const last = results[results.length - 1];
  return { body: { epoch: "e1", results, applied: { n: last?.n ?? 0, op_id: last?.op_id ?? null }, safe_n: 0, skew_s: 0, receipt: "r" } };
};

for (const outcome of ["quarantined", "held", "applied"]) {
  test(`the first screen is not shown as it was once the server has answered (${outcome}), also where nothing was received after it`, async () => {
    let isCut = false;
    const server = scripted((path, body) => (path.endsWith("/push") ? answering(outcome)(body) : path.endsWith("/pull") && isCut ? { status: 503, body: {} } : null));
    const parts = device(server);
    const engine = await enrolled(parts);
    await engine.write([{ kind: "create", type: "building", set: { name: "7 幢" } }]);
    expect(await engine.keepGlance("before")).toBe(true);
    expect(await glanced(parts)).toBe("before");

    const again = await openEngine({ ...parts, store: memoryStore(parts.disk) });
    await again.unlock("246810");
    isCut = true;
    expect((await again.sync()).problem?.code).toBe("busy");
    expect(again.unsentCount()).toBe(0);
    expect(await glanced(parts)).toBeNull();
  });
}

test("the first screen is not shown as it was under forms and cells that have changed since", async () => {
  let etag = "one";
  let isArmed = false;
  const server = scripted((path) => (path.endsWith("/reference") ? { body: REFERENCE, headers: { etag } } : null));
  const parts = device(server, undefined, { fault: (step) => {
    if (isArmed && step === "sync: done: before commit") throw new Error("killed");
  } });
  const engine = await enrolled(parts);
  expect(await engine.keepGlance("under the old cells")).toBe(true);
  isArmed = true;
  await engine.sync().catch(() => undefined); // killed with nothing new
  expect(await glanced(parts)).toBe("under the old cells");
  const again = await openEngine({ ...parts, store: memoryStore(parts.disk) });
  await again.unlock("246810");
  etag = "two";
  await again.sync().catch(() => undefined); // killed when the new ones had come
  expect(await glanced(parts)).toBeNull();
});

test("a first screen that did not fit is said so, to be kept again later", async () => {
  const parts = device(scripted());
  const engine = await enrolled(parts);
  parts.disk.room = 0;
  expect(await engine.keepGlance("no room")).toBe(false);
  parts.disk.room = Infinity;
  expect(await engine.keepGlance("room")).toBe(true);
  expect(await glanced(parts)).toBe("room");
});
