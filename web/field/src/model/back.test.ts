// @vitest-environment jsdom
import type { Engine } from "@shared/engine/index.ts";
import { afterEach, expect, test, vi } from "vitest";
import { drawn, slowBack, soon } from "../kit-screens.ts";

afterEach(() => void vi.restoreAllMocks());


test("Back tapped again before the other screen stands is one step, and the next one another", async () => {
  const { go, at, buttons, close } = await drawn();
  for (const path of ["/find", "/resources", "/rescue"]) await go(path);
  const back = await soon(() => buttons("返回")[0] ?? expect.fail("no way back"));
  const gone = slowBack();
  back.click();
  back.click();
  await gone();
  await at(/^\/resources$/);
  buttons("返回")[0]!.click();
  await at(/^\/find$/);
  close();
});

/** What is written from now on waits, as on a slow phone, until it is let go. */
function slowWrites(engine: Engine): () => void {
  const write = engine.write.bind(engine);
  let go = (): void => undefined;
  const gate = new Promise<void>((resolve) => (go = resolve));
  vi.spyOn(engine, "write").mockImplementation((...asked) => gate.then(() => write(...asked)));
  return go;
}
const own = (): Element | null => document.querySelector(".van-popup[role=dialog]");

test.each([
  { what: "a form", path: "/edit/p1", keep: "保存", prepare: "birth_date" },
  { what: "an act", path: "/person/p1/leave/died", keep: "确定", prepare: null },
])("a sheet that is opened while $what is being saved goes with it: nobody types into what is over", async ({ path, keep, prepare }) => {
  const { engine, go, tap, type, at, close } = await drawn(async ({ engine, cell }) => {
    cell.put("h1", 1, { kind: "family" }, { type: "household" });
    cell.put("p1", 1, { name: "试验", residence_household: "h1", birth_date: "1960-01-31", birth_precision: "day" });
    await engine.sync();
  });
  for (const one of ["/resources", path]) await go(one);
  if (prepare) await type(prepare, "19600201");
  const written = slowWrites(engine);
  await tap(keep);
  await tap("滚轮选日期");
  await soon(() => expect(own()).not.toBeNull());
  written();
  await at(/^\/resources$/);
  expect(engine.operations({ recordId: "p1" })).toHaveLength(1);
  close();
});

test("who goes on while what they confirmed is being written is not fetched back when it is", async () => {
  const { engine, go, tap, at, says, page, close } = await drawn(async ({ engine, cell }) => {
    cell.put("h1", 1, { kind: "family", head: "p1" }, { type: "household" });
    cell.put("p1", 1, { name: "试验甲", residence_household: "h1" });
    cell.put("p2", 1, { name: "试验乙", residence_household: "h1" });
    await engine.sync();
  });
  for (const one of ["/household/h1", "/household/h1/split"]) await go(one);
  await tap("试验乙");
  const written = slowWrites(engine);
  await tap("确定");
  await go("/find");
  written();
  await soon(() => expect(engine.list("household")).toHaveLength(2));
  await says("已存到本机");
  await at(/^\/find$/);
  expect(page.querySelector("main")).not.toBeNull();
  close();
});
