import { expect, test } from "vitest";
import { Pace, type Tried } from "./pace.ts";

const WELL: Tried = { problem: null, left: false };
const OFFLINE: Tried = { problem: { code: "offline", severity: "wait" }, left: true };

/** A world whose time stands until it is moved; `said` is what the next tries come to. */
function world(random = 0.5) {
  const found = { now: 1000, able: true, typedAt: -Infinity, tries: [] as number[], said: [] as Tried[], due: null as { at: number; run: () => void } | null, pace: null as unknown as Pace, until: async (_to: number) => {} };
  found.pace = new Pace({
    now: () => found.now,
    random: () => random,
    later: (ms, run) => {
      const one = { at: found.now + ms, run };
      found.due = one;
      return () => void (found.due === one && (found.due = null));
    },
    able: () => found.able,
    typedAt: () => found.typedAt,
    run: async () => {
      found.tries.push(found.now);
      const said = found.said.shift() ?? WELL;
      found.pace.tried(said);
    },
  });
  found.until = async (to) => {
    for (let one = found.due; one && one.at <= to; one = found.due) {
      found.due = null;
      found.now = one.at;
      one.run();
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    }
    found.now = to;
  };
  return found;
}

test("what was written is sent half a minute after the last entry, and never later than three minutes after the first", async () => {
  const calm = world();
  calm.pace.wrote();
  await calm.until(20_000);
  calm.pace.wrote();
  await calm.until(400_000);
  expect(calm.tries).toStrictEqual([50_000]);

  const busy = world();
  for (let at = 1000; at <= 300_000; at += 10_000) {
    await busy.until(at);
    busy.pace.wrote();
  }
  expect(busy.tries).toStrictEqual([181_000]);
});

test("it is sent and received after the PIN, when the network is back, and when the app is in front again", async () => {
  const found = world();
  found.pace.opened();
  await found.until(10_000);
  found.pace.seen(false); // a short glance at another app: nothing new
  await found.until(20_000);
  found.pace.seen(true);
  await found.until(30_000);
  found.pace.online();
  await found.until(400_000);
  found.pace.seen(false);
  await found.until(900_000);
  expect(found.tries).toStrictEqual([2500, 20_000, 30_000, 400_000]);
});

test("a server out of reach is asked ever more rarely, at most every quarter of an hour, and each phone at moments of its own", async () => {
  const gaps = async (random: number): Promise<number[]> => {
    const found = world(random);
    found.said = Array.from({ length: 12 }, () => OFFLINE);
    found.pace.online();
    await found.until(20_000_000);
    return found.tries.slice(1).map((at, index) => Math.round((at - (found.tries[index] as number)) / 1000));
  };
  expect((await gaps(0)).slice(0, 9)).toStrictEqual([8, 15, 30, 60, 120, 240, 450, 450, 450]);
  expect((await gaps(0.999999)).slice(0, 8)).toStrictEqual([15, 30, 60, 120, 240, 480, 900, 900]);
});

test("a server that names a time is not asked before it; what only a person can solve is not asked again by itself", async () => {
  const found = world();
  found.said = [{ problem: { code: "busy", severity: "wait", retryAfterS: 300 }, left: true }, { problem: { code: "revoked", severity: "stop" }, left: true }];
  found.pace.online();
  await found.until(10_000_000);
  expect(found.tries).toStrictEqual([1000, 301_000]);
  found.pace.opened();
  await found.until(10_010_000);
  expect(found.tries.length).toBe(3);
});

test("an entry does not hurry a failing line, the network coming back does", async () => {
  const found = world();
  found.said = [OFFLINE, OFFLINE, OFFLINE, OFFLINE, OFFLINE];
  found.pace.online();
  await found.until(200_000);
  const before = found.tries.length;
  const due = found.due?.at;
  found.pace.wrote();
  expect(found.due?.at).toBe(due);
  found.said = [];
  found.pace.online();
  await found.until(201_000);
  expect(found.tries.slice(before)).toStrictEqual([200_000]);
  expect(found.due).toBeNull();
});

test("nothing is tried while somebody types, without a network, or while a try is under way", async () => {
  const found = world();
  found.pace.opened();
  found.typedAt = 2400;
  await found.until(3000);
  found.typedAt = 3000;
  await found.until(10_000);
  expect(found.tries).toStrictEqual([7000]);
  found.able = false;
  found.pace.wrote();
  await found.until(100_000);
  expect(found.tries.length).toBe(1);

  let ends = (): void => undefined;
  let count = 0;
  const slow = new Pace({ now: () => found.now, random: () => 0, later: (_ms, run) => (run(), () => undefined), able: () => true, typedAt: () => -Infinity, run: () => ((count += 1), new Promise<void>((resolve) => (ends = resolve))) });
  slow.online();
  slow.online();
  slow.seen(true);
  expect(count).toBe(1);
  ends();
});
