// @vitest-environment jsdom
import { expect, test } from "vitest";
import { speak } from "../../words/index.ts";
import { pastWords } from "./past.ts";

const ALL = ["household", "dwelling", "building", "party_member", "organization", "resource"];

test("a past day says which figures were written down then, on which day, and which are counted as recorded today", () => {
  speak("zh-CN");
  expect(pastWords({ kept: { day: "2026-03-01", counts: ALL } })).toContain("住户、房屋、楼栋、单位、资源、党员、覆盖率、半年未确认和两人填的不一样是 2026-03-01 记下的数");
  expect(pastWords({ kept: { day: "2026-03-01", counts: ALL } })).not.toContain("按今天的登记计");
  const earlier = pastWords({ kept: { day: "2026-03-01", counts: ["household", "dwelling", "party_member", "organization"] } });
  expect(earlier).toContain("住户、房屋、单位、党员、覆盖率、半年未确认和两人填的不一样是 2026-03-01 记下的数");
  expect(earlier).toContain("楼栋、资源那天没有记下，按今天的登记计");
  expect(pastWords({ kept: null })).toContain("按今天的登记计");
});
