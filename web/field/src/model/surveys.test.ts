import { expect, test, vi } from "vitest";
import type { RecordView } from "@shared/engine/index.ts";
import { isAsked, type OpenSurvey } from "./surveys.ts";

const audience = {
  text: "years-between(${birth_date}, today()) >= 80",
  tree: { call: ">=", args: [{ call: "years-between", args: [{ field: "birth_date" }, { call: "today", args: [] }] }, { lit: 80 }] },
};
const about = (form: object) => ({ form }) as unknown as OpenSurvey;
const person = (birth_date: string | null) => ({ fields: { birth_date } }) as unknown as RecordView;

test("a survey is due for its audience only, by the day that it is in the communities", () => {
  vi.useFakeTimers({ now: new Date("2026-03-02T00:30+08:00") });
  expect(isAsked(about({ audience }), person("1946-03-02"))).toBe(true);
  expect(isAsked(about({ audience }), person("1946-03-03"))).toBe(false);
  expect(isAsked(about({ audience }), person(null))).toBe(false);
  expect(isAsked(about({}), person(null))).toBe(true);
  vi.useRealTimers();
});
