// @vitest-environment jsdom
import { expect, test } from "vitest";
import { drawn, soon } from "../kit-screens.ts";

test("a second tap that comes while the sheet goes away is no second visit", async () => {
  const household = "01941f29-8aae-77f9-9a74-464f0c127001";
  const { engine, go, tap, buttons, close } = await drawn(({ engine }) => engine.write([{ kind: "create", type: "household", id: household, set: { kind: "family" } }]));
  await go(`/household/${household}`);
  await tap("走访结果");
  const nobody = await soon(() => buttons("无人应答")[0] ?? expect.fail("no outcomes"));
  const visits = () => engine.list("visit").map((one) => one.fields["outcome"]);
  nobody.click();
  await soon(() => expect([visits(), document.body.textContent?.includes("已记下")]).toStrictEqual([["no_answer"], true]));
  nobody.click();
  await new Promise((resolve) => setTimeout(resolve, 0));
  await engine.write([{ kind: "create", type: "resource", set: { name: "沙袋", kind: "supply" } }]); // behind whatever the tap has written
  expect(visits()).toStrictEqual(["no_answer"]);
  close();
});
