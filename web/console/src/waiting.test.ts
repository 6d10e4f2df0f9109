// @vitest-environment jsdom
import { afterEach, expect, test, vi } from "vitest";
import { get } from "./api/client.ts";
import { countWaiting, firstOf, harmsOf, waiting, waitingTotal } from "./waiting.ts";

vi.mock(import("./api/client.ts"), async (original) => ({ ...(await original()), get: vi.fn() }));
vi.mock(import("./session.ts"), async (original) => ({ ...(await original()), may: () => true }));
afterEach(() => vi.resetAllMocks());

const KINDS = ["conflicts", "duplicates", "quarantine", "findings"];

test("the list that is opened first is the one whose worst item does most harm, whatever stands first among the tabs", () => {
  const first = (counts: Record<string, number>, harms?: Record<string, number>) => firstOf(KINDS, { counts, harms });
  expect(first({ conflicts: 9, findings: 2, quarantine: 1 }, { conflicts: 2, findings: 0, quarantine: 1 })).toBe("findings");
  expect(first({ conflicts: 1, findings: 2, quarantine: 1 }, { conflicts: 1, findings: 1, quarantine: 1 })).toBe("conflicts");
  expect(first({ conflicts: 0, findings: 3, duplicates: 4 }, { conflicts: 0, findings: 1 })).toBe("findings");
  expect([first({ findings: 3 }), first({})]).toEqual(["findings", "conflicts"]);
});

test("where only duplicates wait, or nothing as harmful, the inbox opens with them; where what does most harm waits nobody is kept waiting for them", async () => {
  const server = (counts: Record<string, number>, harms: Record<string, number>, pairs: number | null, harm = 1) =>
    vi.mocked(get).mockImplementation(async (path: string) => {
      if (!path.includes("duplicates")) return { counts, harms, total: 0 };
      if (pairs === null) throw new Error("no answer");
      return { counts: { ...counts, duplicates: pairs }, harms: { ...harms, duplicates: harm }, total: 0 };
    });
  const opened = async () => firstOf(KINDS, await harmsOf());
  server({ conflicts: 0 }, {}, 3);
  expect(await opened()).toBe("duplicates");
  server({ findings: 4 }, { findings: 2 }, 3);
  expect(await opened()).toBe("duplicates");
  server({ findings: 4 }, { findings: 2 }, null);
  expect(await opened()).toBe("findings");
  server({ findings: 4 }, { findings: 1 }, 3, 0);
  expect(await opened()).toBe("duplicates");
  server({ conflicts: 4 }, { conflicts: 1 }, 3);
  expect(await opened()).toBe("conflicts");
  vi.mocked(get).mockClear();
  server({ findings: 4 }, { findings: 0 }, 3, 0);
  expect([await opened(), vi.mocked(get).mock.calls.length]).toEqual(["findings", 1]);
});

test("what was counted before a decision never comes back after it; pairs, which take longer, are told when they come, and stay beside the others", async () => {
  const answers: ((counts: Record<string, number>) => Promise<void>)[] = [];
  vi.mocked(get).mockImplementation(() => new Promise((give) => answers.push(async (counts) => (give({ counts, total: 0 }), void (await new Promise((go) => setTimeout(go)))))));
  void countWaiting(true);
  void countWaiting();
  void countWaiting();
  await answers[2]!({ conflicts: 1 });
  await answers[1]!({ conflicts: 2 });
  expect([waiting.value, waitingTotal.value]).toEqual([{ conflicts: 1 }, 1]);
  await answers[0]!({ conflicts: 3, duplicates: 5 });
  expect([waiting.value, waitingTotal.value]).toEqual([{ conflicts: 1, duplicates: 5 }, 6]);
  void countWaiting(true);
  void countWaiting(true);
  await answers[4]!({ conflicts: 0, duplicates: 4 });
  await answers[3]!({ conflicts: 1, duplicates: 5 });
  expect([waiting.value, waitingTotal.value]).toEqual([{ conflicts: 0, duplicates: 4 }, 4]);
});
