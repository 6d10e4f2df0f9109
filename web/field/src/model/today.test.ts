import { afterEach, expect, test, vi } from "vitest";
import { device, enrolled, scripted } from "@shared/engine/kit.ts";
import { attach } from "../session.ts";
import { figures } from "./glance.ts";
import { lookAtClock, today } from "./today.ts";
import { day } from "./use.ts";
import { timeAgo } from "./words.ts";

afterEach(() => void vi.useRealTimers());

test("an app that stays open over midnight shows the new day: who is due, how long ago, and what yesterday was", async () => {
  vi.useFakeTimers({ now: new Date(2026, 2, 2, 23, 59), toFake: ["Date"] });
  lookAtClock();
  const engine = await enrolled(device(scripted()));
  attach(engine);
  const [dwelling, household] = [engine.newId(), engine.newId()];
  await engine.write([
    { kind: "create", type: "dwelling", id: dwelling, set: { door_number: "301" } },
    { kind: "create", type: "household", id: household, set: { dwelling, kind: "family" } },
    { kind: "create", type: "visit", set: { household, method: "door", outcome: "met", attempt_number: 1, visited_at: new Date(2026, 2, 2, 20, 0).toISOString() } },
  ]);
  const at = new Date(2026, 2, 2, 20, 0).toISOString();
  expect([today.value, day.value.due.length, figures.value.dueCount, timeAgo(at)]).toStrictEqual(["2026-03-02", 0, 0, "今天 20:00"]);

  vi.setSystemTime(new Date(2026, 5, 1, 0, 1)); // ninety days later
  lookAtClock();
  expect([today.value, day.value.due.length, figures.value.dueCount]).toStrictEqual(["2026-06-01", 1, 1]);
  vi.setSystemTime(new Date(2026, 2, 3, 0, 1));
  lookAtClock();
  expect([day.value.due.length, timeAgo(at)]).toStrictEqual([0, "昨天 20:00"]);
});
