import { expect, test } from "vitest";
import { openEngine } from "./engine.ts";
import { device, enrolled, scripted } from "./kit.ts";
import { MemoryDisk, memoryStore } from "./store-memory.ts";

const NOW = Date.UTC(2026, 2, 2, 8);
const YEAR_MS = 365 * 86_400_000;

test("a wait after wrong PINs ends also where the clock was years ahead, and is no shorter for having been set back", async () => {
  let now = NOW + 5 * YEAR_MS;
  const parts = device(scripted(), new MemoryDisk(), { now: () => now });
  await enrolled(parts);
  const engine = await openEngine({ ...parts, store: memoryStore(parts.disk) });
  for (let turn = 0; turn < 3; turn++) await engine.unlock("000000");
  now = NOW; // somebody puts it right
  const waits = await engine.unlock("246810");
  expect([waits.ok, waits.waitS, waits.triesLeft]).toStrictEqual([false, 15, 7]);
  now += 14_000;
  expect((await engine.unlock("246810")).waitS).toBe(1);
  now -= 3_600_000; // set back again and again: each time all of it
  expect((await engine.unlock("246810")).waitS).toBe(15);
  now += 15_000;
  expect((await engine.unlock("246810")).ok).toBe(true);
});

test("a clock that went back without wrong PINs makes nobody wait", async () => {
  let now = NOW + 5 * YEAR_MS;
  const parts = device(scripted(), new MemoryDisk(), { now: () => now });
  await enrolled(parts);
  now = NOW;
  const engine = await openEngine({ ...parts, store: memoryStore(parts.disk) });
  expect((await engine.unlock("246810")).ok).toBe(true);
});

/** A server that tells its time in every answer, as all do. */
const timed = (at: () => number, handler: Parameters<typeof scripted>[0] = () => null) => {
  const server = scripted(handler);
  return { ...server, asked: server.asked, request: async (...asked: Parameters<typeof server.request>) => {
    const answer = await server.request(...asked);
    return { ...answer, headers: { ...answer.headers, date: new Date(at()).toUTCString() } };
  } };
};

test("a wrong clock is told at the first contact, before anything is written by it, and no more once it is right", async () => {
  let now = NOW + YEAR_MS;
  let isDown = false;
  const parts = device(timed(() => NOW, (path) => (isDown && path.endsWith("/pull") ? { status: 503, body: {} } : null)), new MemoryDisk(), { now: () => now });
  const engine = await openEngine(parts);
  await engine.enrol({ code: "K7QF-3M9D-XW2P", label: "test phone", pin: "246810" });
  expect(engine.problems().map((one) => [one.code, one.details?.["skew_s"]])).toStrictEqual([["clock_wrong", YEAR_MS / 1000]]);
  await engine.sync();
  expect(engine.problems().map((one) => one.code)).toStrictEqual(["clock_wrong"]);
  now = NOW + 1000;
  await engine.sync();
  expect(engine.problems()).toStrictEqual([]);
  now = NOW - YEAR_MS;
  isDown = true;
  await engine.sync(); // cut off, and told all the same
  expect(engine.problems().map((one) => one.code)).toStrictEqual(["busy", "clock_wrong"]);
});

test("a phone that another tab takes while the records are being opened stays closed, and so does one that is taken before", async () => {
  for (const at of ["before", "glance", "records"]) {
    let lost = (): void => undefined;
    const parts = device(scripted());
    const first = await enrolled(parts);
    await first.keepGlance("home");
    const store = memoryStore(parts.disk);
    let isTaken = false;
    const taking = (name: string): void => {
      if (isTaken || name !== { before: "core", glance: "glance", records: "e/" }[at]) return;
      isTaken = true;
      lost();
    };
    const engine = await openEngine({ ...parts, turn: { take: async (options) => ((lost = options.lost), true), release: () => undefined }, store: {
      ...store,
      read: (name) => (taking(name), store.read(name)),
      readAll: (prefix) => (taking(prefix), store.readAll(prefix)),
    } });
    const error = await engine.unlock("246810").catch((caught: unknown) => caught);
    expect([at, (error as { code?: string }).code, engine.state(), engine.glance(), engine.count("person")]).toStrictEqual([at, "elsewhere", "elsewhere", null, 0]);
    expect(await engine.takeOver()).toBe("locked");
    expect((await engine.unlock("246810")).ok).toBe(true);
  }
});

test("one that is taken while it begins does not ask for the PIN", async () => {
  const parts = device(scripted());
  await enrolled(parts);
  const engine = await openEngine({ ...parts, store: memoryStore(parts.disk), turn: { take: async ({ lost }) => (queueMicrotask(lost), true), release: () => undefined } });
  expect(engine.state()).toBe("elsewhere");
});

test("an act that names no day was on the day that it is in China, as the server will count it, whatever zone the phone is set to", async () => {
  const engine = await enrolled(device(scripted(), new MemoryDisk(), { now: () => Date.UTC(2026, 2, 2, 22, 30) }));
  const [home, next] = [engine.newId(), engine.newId()];
  const { ids } = await engine.write([
    { kind: "create", type: "dwelling", id: home, set: { door_number: "1" } },
    { kind: "create", type: "dwelling", id: next, set: { door_number: "2" } },
    { kind: "create", type: "household", set: { kind: "family", dwelling: home } },
  ]);
  const household = ids.at(-1) as string;
  await engine.write([{ kind: "command", name: "move_household", id: household, arguments: { dwelling: next } }]);
  expect(engine.read(household)?.fields).toMatchObject({ dwelling: next, moved_in_on: "2026-03-03" });
});
