// @vitest-environment jsdom
import { expect, test } from "vitest";
import { drawn, soon } from "../kit-screens.ts";

const dialog = (): HTMLElement => [...document.querySelectorAll<HTMLElement>("[role=dialog]")].find((one) => one.style.display !== "none") as HTMLElement;
const fail = (): never => {
  throw new Error("no list to choose from");
};
const press = (key: string, more: KeyboardEventInit = {}): unknown => document.activeElement!.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));

test("a sheet has a name and takes the keyboard, which goes round in it and comes back to the button that opened it", async () => {
  const { go, tap, buttons, says, close } = await drawn(async ({ engine, cell }) => {
    cell.put("h1", 1, { kind: "family" }, { type: "household" });
    await engine.sync();
  });
  await go("/household/h1");
  await says("走访结果");
  const [opener] = buttons("走访结果");
  opener!.focus();
  await tap("走访结果");
  await soon(() => expect(document.activeElement).toBe(dialog()));
  expect([dialog().getAttribute("aria-modal"), dialog().getAttribute("aria-label")]).toStrictEqual(["true", "这次走访怎么样？"]);
  const inside = [...dialog().querySelectorAll("button")];
  press("Tab", { shiftKey: true });
  expect(document.activeElement).toBe(inside.at(-1));
  press("Tab");
  expect(document.activeElement).toBe(inside[0]);
  press("Escape");
  await soon(() => expect(document.activeElement).toBe(opener));
  opener!.click();
  await soon(() => expect(document.activeElement).toBe(dialog()));
  buttons("关闭").at(-1)!.click();
  await soon(() => expect(document.activeElement).toBe(opener));

  // a list to choose from is one, too
  await go("/new/resource");
  const choice = await soon(() => document.querySelector<HTMLElement>("[aria-haspopup=dialog]") ?? fail());
  choice.focus();
  choice.click();
  await soon(() => expect(document.activeElement).toBe(dialog()));
  close();
});
