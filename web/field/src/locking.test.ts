import { expect, test } from "vitest";
import { Idle, LOCK_AFTER_MS } from "./locking.ts";

test("an app that nobody uses is idle for as long as either clock of the phone says", () => {
  const clocks = { now: 0, wall: 1e12, steady: () => clocks.now, day: () => clocks.wall };
  const idle = new Idle(clocks);
  clocks.now = clocks.wall = 0;
  idle.used();
  clocks.now += 60_000; // in the hand
  clocks.wall += 60_000;
  expect(idle.ms()).toBe(60_000);
  clocks.wall += 8 * 3_600_000; // asleep in a pocket: the steady clock stood still
  expect(idle.ms()).toBeGreaterThan(LOCK_AFTER_MS);
  idle.used();
  clocks.wall -= 10 * 3_600_000; // the clock was put right
  clocks.now += 1000;
  expect(idle.ms()).toBe(1000);
});
