import { afterEach, expect, test, vi } from "vitest";
import { device, enrolled, scripted } from "@shared/engine/kit.ts";
import { i18n } from "../i18n.ts";
import { attach } from "../session.ts";
import { metToday } from "./acts.ts";
import { figures } from "./glance.ts";
import { lookAtClock, today } from "./today.ts";
import { daysSince } from "./freshness.ts";
import { day } from "./use.ts";
import { age, seenWords, timeAgo } from "./words.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});
/** When the clocks of the communities show this. */
const there = (moment: string): Date => new Date(`${moment}+08:00`);

test.each(["Asia/Shanghai", "America/Los_Angeles"])("an app that stays open over midnight shows the new day, also where the phone is set to the zone %s: who is due, how long ago, how old, and what yesterday was", async (zone) => {
  vi.stubEnv("TZ", zone);
  vi.useFakeTimers({ now: there("2026-03-02T23:59"), toFake: ["Date"] });
  lookAtClock();
  const engine = await enrolled(device(scripted()));
  attach(engine);
  const [dwelling, household] = [engine.newId(), engine.newId()];
  await engine.write([
    { kind: "create", type: "dwelling", id: dwelling, set: { door_number: "301" } },
    { kind: "create", type: "household", id: household, set: { dwelling, kind: "family" } },
    { kind: "create", type: "visit", set: { household, method: "door", outcome: "met", attempt_number: 1, visited_at: there("2026-03-02T20:00").toISOString() } },
  ]);
  const at = there("2026-03-02T20:00").toISOString();
  expect([today.value, day.value.due.length, figures.value.dueCount, timeAgo(at), age("1946-03-03"), metToday(household)]).toStrictEqual(["2026-03-02", 0, 0, "今天 20:00", 79, true]);

  vi.setSystemTime(there("2026-06-01T00:01")); // ninety days later
  lookAtClock();
  expect([today.value, day.value.due.length, figures.value.dueCount]).toStrictEqual(["2026-06-01", 1, 1]);
  vi.setSystemTime(there("2026-03-03T00:01"));
  lookAtClock();
  expect([day.value.due.length, timeAgo(at), age("1946-03-03"), metToday(household)]).toStrictEqual([0, "昨天 20:00", 80, false]);
});

test("yesterday evening is a day ago in the morning, and an old visit bears the day on which somebody stood there", () => {
  const morning = there("2026-03-03T08:00").getTime();
  const evening = (day: number) => there(`2026-03-0${day}T17:30`).toISOString();
  expect([evening(3), evening(2), evening(1), "2026-03-02", "2026-03-05", "soon", null].map((when) => daysSince(when, morning))).toStrictEqual([0, 1, 2, 1, 0, null, null]);
  expect([seenWords(daysSince(evening(2), morning)), timeAgo(evening(1), morning)]).toStrictEqual(["1 天前", "2 天前"]);
  i18n.global.locale.value = "en";
  expect([1, 2].map(seenWords)).toStrictEqual(["1 day ago", "2 days ago"]);
  i18n.global.locale.value = "zh";

  expect(timeAgo("2026-01-04T17:30:00Z", morning)).toBe("2026-01-05"); // half past one at night there
});
