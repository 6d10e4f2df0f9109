// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { Value } from "@shared/engine/index.ts";
import { drawn, soon } from "../kit-screens.ts";
import { notices } from "../session.ts";

test("what became of my work stands before where to go today, what still waits behind it", async () => {
  const [household, person] = ["01941f29-8aae-77f9-9a74-464f0c127001", "01941f29-8aae-77f9-9a74-464f0c127002"] as const;
  const { go, close } = await drawn(async ({ engine, cell }) => {
    const put = (type: string, set: Record<string, Value>) => engine.write([{ kind: "create", type, set }]);
    cell.outcome = "held";
    cell.reason = "parent";
    await put("resource", { name: "沙袋", kind: "supply" });
    await put("resource", { name: "水泵", kind: "supply" });
    await engine.sync();
    cell.status(engine.operations()[0]?.opId ?? "", 2, "applied");
    await engine.sync();
    cell.reason = "proposal";
    await engine.write([{ kind: "create", type: "person", id: person, set: { name: "某某" } }]);
    await engine.write([{ kind: "command", name: "person_died", id: person, arguments: { on: "2026-03-01" } }]);
    await engine.sync();
    cell.status(engine.operations()[0]?.opId ?? "", 2, "quarantined", "declined");
    await engine.sync();
    await engine.write([{ kind: "create", type: "household", id: household, set: { kind: "family" } }]);
  });
  expect(notices.value.map((one) => one.kind).sort()).toStrictEqual(["declined", "held", "held", "released"]);
  await go("/");
  const headings = () => [...document.querySelectorAll("main h2")].map((one) => one.textContent?.replace(/[\d ]*(该访.*)?$/, "").trim());
  await soon(() => expect(headings()).toStrictEqual(["需要你处理", "有结果了，请看一下", "我的网格", "今天去哪儿", "还在等的"]));
  expect(document.querySelector(".needs .item")?.textContent).toMatch(/^没有通过 · 某某登记去世 · 未同意/);
  close();
});

test("a dispute that nobody has decided, and whose values are not here yet, is no result", async () => {
  const { go, close } = await drawn(async ({ engine, cell }) => {
    cell.put("p9", 1, { name: "小" });
    await engine.sync();
    cell.outcome = "conflict";
    await engine.write([{ kind: "patch", id: "p9", set: { name: "甲" } }]);
    cell.put("p9", 2, { name: "乙" }, { conflicts: ["name"] });
    await engine.sync();
  });
  expect(notices.value.map(({ kind, needsMe }) => [kind, needsMe])).toStrictEqual([["conflict", false]]);
  await go("/");
  await soon(() => expect(document.body.textContent).toContain("还在等的"));
  expect(document.body.textContent).not.toContain("有结果了");
  close();
});

test("a phone whose registration the server does not take says so in red with what to do, and the way out for what is unsent", async () => {
  const { engine, cell, go, tap, says, buttons, close } = await drawn();
  await engine.write([{ kind: "create", type: "resource", set: { name: "沙袋", kind: "supply" } }]);
  const usual = cell.answer;
  cell.answer = (path, body) => (/\/(push|pull)$/.test(path) ? { status: 401, body: { type: "/problems/token-refused" } } : usual(path, body));
  await go("/");
  await tap("上传更新");
  await soon(() => expect(document.querySelector("[aria-label='需要你处理'] [role=alert]")?.textContent).toMatch("服务器不认这台手机的登记先导出未上传的内容，再向社区要新的登记码"));
  expect(engine.unsentCount()).toBe(1);
  await go("/sync");
  await tap("保存救援文件");
  await says("救援");
  expect(buttons("都没变")).toStrictEqual([]);
  close();
});
