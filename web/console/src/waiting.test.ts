import { expect, test } from "vitest";
import { firstOf } from "./waiting.ts";

const KINDS = ["conflicts", "duplicates", "quarantine", "findings"];

test("the list that is opened first is the one whose worst item does most harm, whatever stands first among the tabs", () => {
  const first = (counts: Record<string, number>, harms?: Record<string, number>) => firstOf(KINDS, { counts, harms });
  expect(first({ conflicts: 9, findings: 2, quarantine: 1 }, { conflicts: 2, findings: 0, quarantine: 1 })).toBe("findings");
  expect(first({ conflicts: 1, findings: 2, quarantine: 1 }, { conflicts: 1, findings: 1, quarantine: 1 })).toBe("conflicts");
  expect(first({ conflicts: 0, findings: 3, duplicates: 4 }, { conflicts: 0, findings: 1 })).toBe("findings");
  expect([first({ findings: 3 }), first({})]).toEqual(["findings", "conflicts"]);
});
