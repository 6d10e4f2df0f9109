// @vitest-environment jsdom
import { beforeAll, expect, test, vi } from "vitest";
import { Problem } from "./api/client.ts";
import { ago, ASKED, day, isWritten, tellOutcome, when, why } from "./tell.ts";
import { speak } from "./words/index.ts";

beforeAll(() => speak("zh-CN"));

const told = (status: number, slug: string, errors: { pointer: string; code: string; message: string }[] = []) =>
  why(new Problem(status, slug, "the session does not begin like this", errors, { title_zh: "登录码已经用过" }));

test("what the server refuses is said in the language of the screen, also a problem that the screen has no words for", () => {
  expect(told(409, "enrolment-code-used")).toBe("登录码已经用过");
  expect(told(404, "enrolment-code-unknown")).toBe("登录码已经用过");
  expect(told(404, "not-found")).toBe("没有找到，可能已被移走或删除");
  expect(told(422, "invalid-input")).toBe("有内容不符合要求");
  expect(told(422, "invalid-input", [{ pointer: "/name", code: "required", message: "is required" }])).toMatch(/^有内容不符合要求：[^a-z]+$/);
  expect(told(502, "")).toBe("服务器出错（502），没有完成，请稍后重试");
  speak("en");
  expect(told(409, "enrolment-code-used")).toBe("the session does not begin like this");
});

test("only what is written looks like success; of several outcomes the worst is told", () => {
  speak("zh-CN");
  const last = (): [string, string] => {
    const all = document.querySelectorAll(".el-message");
    const one = all[all.length - 1]!;
    return [[...one.classList].find((name) => /--(success|warning|error)$/.test(name))!.split("--")[1]!, one.textContent!.trim()];
  };
  const tell = (...outcomes: string[]) => tellOutcome({ results: outcomes.map((outcome) => ({ now: { outcome } })) }, "做完了");
  expect([tell("applied"), last()]).toEqual([true, ["success", "做完了"]]);
  expect([tell("applied", "conflict"), last()]).toEqual([false, ["warning", "与他人填的不一样，已进待办"]]);
  expect([tellOutcome({ results: [{ now: { outcome: "held" } }] }, "已申请", ASKED), last()]).toEqual([true, ["success", "已申请"]]);
  expect(tellOutcome({ results: [{ now: { outcome: "held" } }, { now: { outcome: "conflict" } }] }, "已申请", ASKED)).toBe(false);
  expect(isWritten({ results: [{ now: { outcome: "merged" } }, { now: { outcome: "held" } }] })).toBe(false);
  expect([tell("quarantined", "applied"), last()]).toEqual([false, ["error", "未写入，待核对"]]);
});

test("a moment is told as the day and hour in the communities, wherever the screen stands", () => {
  speak("zh-CN");
  const zone = process.env["TZ"];
  for (const where of ["America/New_York", "Asia/Shanghai", "UTC"]) {
    process.env["TZ"] = where;
    expect([when("2026-03-01T22:30:00Z"), day("2026-03-01T22:30:00Z"), when("2026-03-02"), when(null), day("?")]).toEqual(["2026-03-02 06:30", "2026-03-02", "2026-03-02", "", "?"]);
    vi.setSystemTime("2026-03-02T15:59:00Z");
    expect([ago("2026-03-01T16:00:00Z"), ago("2026-03-01T15:59:00Z"), ago("2026-02-28")]).toEqual(["今天", "昨天", "2 天前"]);
  }
  process.env["TZ"] = zone;
  vi.useRealTimers();
});
