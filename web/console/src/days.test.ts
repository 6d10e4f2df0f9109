import { expect, test } from "vitest";
import { boundsOf, daysBefore, daysBeforeDay, today } from "./days.ts";

test("the day of the community begins at its own midnight, eight hours before that of UTC", () => {
  const late = Date.parse("2026-03-01T16:00:00Z");
  expect(today(late)).toBe("2026-03-02");
  expect(today(late - 1)).toBe("2026-03-01");
  expect(daysBefore(1, late)).toBe("2026-03-01");
  expect(daysBefore(180, late)).toBe("2025-09-03");
  expect(boundsOf("2026-03-02")).toEqual(["2026-03-01T16:00:00.000Z", "2026-03-02T16:00:00.000Z"]);
});

test("days before a past day are counted from that day", () => {
  expect(daysBeforeDay(180, "2026-03-02")).toBe("2025-09-03");
  expect(daysBeforeDay(1, "2026-03-01")).toBe("2026-02-28");
  expect(daysBeforeDay(30, null)).toBe(daysBefore(30));
});
