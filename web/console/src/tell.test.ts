// @vitest-environment jsdom
import { beforeAll, expect, test } from "vitest";
import { Problem } from "./api/client.ts";
import { why } from "./tell.ts";
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
