// @vitest-environment jsdom
import { expect, test } from "vitest";
import { speak } from "../../words/index.ts";
import { pastWords } from "./past.ts";

const SHOWN = { total: { freshness_buckets: { within_30: 1, within_90: 0, within_180: 0, older: 0 } } };
const ALL = ["household", "dwelling", "building", "party_member", "organization", "resource"];

test("a past day says which figures were written down then, on which day, and which are counted as recorded today", () => {
  speak("zh-CN");
  expect(pastWords({ kept: { day: "2026-03-01", counts: ALL }, ...SHOWN })).toContain("住户、房屋、楼栋、单位、资源、党员、覆盖率、半年未确认和两人填的不一样是 2026-03-01 记下的数");
  expect(pastWords({ kept: { day: "2026-03-01", counts: ALL }, ...SHOWN })).not.toContain("按今天的登记计");
  const earlier = pastWords({ kept: { day: "2026-03-01", counts: ["household", "dwelling", "party_member", "organization"] }, ...SHOWN });
  expect(earlier).toContain("住户、房屋、单位、党员、覆盖率、半年未确认和两人填的不一样是 2026-03-01 记下的数");
  expect(earlier).toContain("楼栋、资源那天没有记下，按今天的登记计");
  expect(pastWords({ kept: null, ...SHOWN })).toContain("按今天的登记计");
});

test("who is given neither stale records nor two values of a past day is not told that these were written down", () => {
  const told = (total: Parameters<typeof pastWords>[0]["total"]) => pastWords({ kept: { day: "2026-03-01", counts: ALL }, total });
  speak("zh-CN");
  expect(told({ freshness_buckets: null })).toContain("资源、党员和覆盖率是 2026-03-01 记下的数");
  expect(told({})).not.toMatch(/半年未确认|两人填的不一样/);
  speak("en");
  expect(told({ freshness_buckets: null })).not.toMatch(/stale|two values/i);
});
