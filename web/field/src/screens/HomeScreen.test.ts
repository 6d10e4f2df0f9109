// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { Value } from "@shared/engine/index.ts";
import { drawn, soon } from "../kit-screens.ts";
import { notices } from "../session.ts";

test("what became of my work stands before where to go today, what still waits behind it", async () => {
  const household = "01941f29-8aae-77f9-9a74-464f0c127001";
  const { go, close } = await drawn(async ({ engine, cell }) => {
    const put = (type: string, set: Record<string, Value>) => engine.write([{ kind: "create", type, set }]);
    cell.outcome = "held";
    cell.reason = "parent";
    await put("resource", { name: "沙袋", kind: "supply" });
    await put("resource", { name: "水泵", kind: "supply" });
    await engine.sync();
    cell.status(engine.operations()[0]?.opId ?? "", 2, "applied");
    await engine.sync();
    await engine.write([{ kind: "create", type: "household", id: household, set: { kind: "family" } }]);
  });
  expect(notices.value.map((one) => one.kind).sort()).toStrictEqual(["held", "released"]);
  await go("/");
  const headings = () => [...document.querySelectorAll("main h2")].map((one) => one.firstChild?.textContent?.trim());
  await soon(() => expect(headings()).toStrictEqual(["有结果了，请看一下", "我的网格", "今天去哪儿", "还在等的"]));
  close();
});
