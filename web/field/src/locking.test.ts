import { expect, test } from "vitest";
import { Idle, isHeldOpen, LOCK_AFTER_MS, staysOpen } from "./locking.ts";

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

test("what is typed and kept nowhere holds the app open, until it is kept or left", () => {
  let isDirty = true;
  const first = staysOpen(() => isDirty);
  const second = staysOpen(() => false);
  expect(isHeldOpen()).toBe(true);
  isDirty = false;
  expect(isHeldOpen()).toBe(false);
  isDirty = true;
  first();
  second();
  expect(isHeldOpen()).toBe(false);
});
