// @vitest-environment jsdom
import { expect, test } from "vitest";
import { drawn, soon } from "../kit-screens.ts";

test("a full phone says that what was read is not kept as read, and the news stay until it is", async () => {
  const { engine, parts, go, tap, says, at, buttons, close } = await drawn(async ({ engine, cell }) => {
    cell.outcome = "quarantined";
    cell.reason = "unexpected";
    await engine.write([{ kind: "create", type: "resource", set: { name: "沙袋", kind: "supply" } }]);
    await engine.sync();
    cell.streams = [...cell.streams, "cell/b"];
    cell.version = 2;
    await engine.sync();
  });
  const [notice] = engine.notices();
  const news = (): boolean => engine.problems().some((one) => one.code === "scope_changed");
  const alert = (): string => document.querySelector("main [role=status] [role=alert]")?.textContent ?? "";
  parts.disk.room = 0;
  await go(`/notice/${notice!.id}`);
  await tap("知道了");
  await says("手机存储已满");
  await at(/^\/notice\//);
  await go("/sync");
  await says("负责的网格有变化");
  buttons("知道了").at(-1)!.click();
  await soon(() => expect(alert()).toContain("手机存储已满"));
  expect([engine.notices().length, news()]).toStrictEqual([1, true]);

  parts.disk.room = Infinity;
  await soon(() => expect(buttons("知道了").at(-1)).toHaveProperty("disabled", false));
  buttons("知道了").at(-1)!.click();
  await soon(() => expect([news(), engine.problems().map((one) => one.code)]).toStrictEqual([false, expect.not.arrayContaining(["storage_full"])]));
  await go(`/notice/${notice!.id}`);
  await tap("知道了");
  await at(/^\/sync$/);
  expect(engine.notices()).toStrictEqual([]);
  close();
});
