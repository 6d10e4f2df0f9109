// @vitest-environment jsdom
import { expect, test } from "vitest";
import { i18n } from "../i18n.ts";
import { drawn, soon } from "../kit-screens.ts";
import { outbox } from "../session.ts";

test("what the server did not take says so by field and reason, in the language of the screen, and an act says which", async () => {
  const [household, building, person] = ["01941f29-8aae-77f9-9a74-464f0c127001", "01941f29-8aae-77f9-9a74-464f0c127002", "01941f29-8aae-77f9-9a74-464f0c127003"] as const;
  const { engine, go, close } = await drawn(async ({ engine, cell }) => {
    cell.outcome = "quarantined";
    cell.reason = "invalid";
    cell.errors = [
      { pointer: "/set/built_year", code: "not_integer", message: "must be a whole number" },
      { pointer: "/set/name", code: "too_long", message: "must have at most 200 characters" },
      { pointer: "/set/photos/add/0", code: "not_a_hash", message: "must be the SHA-256 of a file, 64 small hexadecimal digits" },
      { pointer: "/arguments/dwelling", code: "wrong_type", message: "wrong type" },
      { pointer: "/set/of_tomorrow", code: "of_tomorrow", message: "not before tomorrow" },
      { pointer: "/id", code: "invalid", message: "said above already" },
    ];
    await engine.write([{ kind: "create", type: "building", id: building, set: { name: "1 幢" } }]);
    await engine.sync();
    await engine.write([{ kind: "create", type: "household", id: household, set: { kind: "family" } }]);
    await engine.write([{ kind: "create", type: "person", id: person, set: { name: "某某", residence_household: household } }]);
    await engine.write([{ kind: "command", name: "person_died", id: person, arguments: { household, on: "2026-03-01" } }]);
  });
  outbox.value = engine.outbox();
  await go("/sync");
  const rows = () => [...document.querySelectorAll<HTMLElement>("main a.item[href*='/record/']")].map((one) => ({ title: one.querySelector(".title")?.textContent, wrong: [...one.querySelectorAll(".wrong")].map((each) => each.textContent) }));
  await soon(() => expect([rows()[0], rows().at(-1)]).toStrictEqual([
    { title: "登记去世 · 某某", wrong: [] },
    { title: "新增 · 1 幢", wrong: ["建成年份：应为整数", "名称：最多 200 个字符", "照片：应为文件的 SHA-256（64 位小写十六进制）", "房屋：选的不是这一类记录", "服务器没有接受（not before tomorrow）"] },
  ]));
  i18n.global.locale.value = "en";
  await soon(() => expect([rows()[0], rows().at(-1)].map((one) => [one?.title, one?.wrong[0], one?.wrong[4]])).toStrictEqual([
    ["Death recorded · 某某", undefined, undefined],
    ["New · 1 幢", "Year built: must be a whole number", "the server did not accept it (not before tomorrow)"],
  ]));
  i18n.global.locale.value = "zh";
  close();
});
