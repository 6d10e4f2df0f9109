// @vitest-environment jsdom
import { expect, test } from "vitest";
import { drawn, soon } from "../kit-screens.ts";

const press = (key: string): boolean => document.activeElement!.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const wheels = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>("[role=listbox]")];
const chosen = (): (string | null | undefined)[] => wheels().map((one) => one.querySelector("[aria-selected=true]")?.textContent);
const input = (name: string): HTMLInputElement | null => document.querySelector(`#f-${name}`);

test("a keyboard turns the wheels of a day, goes from one to the next and takes the day; the arrows step a count, which a screen reader hears", async () => {
  const { go, tap, close } = await drawn(async ({ engine, cell }) => {
    cell.put("h1", 1, { kind: "family" }, { type: "household" });
    cell.put("p1", 1, { name: "试验", residence_household: "h1", birth_date: "1960-01-31", birth_precision: "day" });
    await engine.sync();
  });
  await go("/person/p1/leave/left");
  await tap("滚轮选日期");
  await soon(() => expect(wheels().map((one) => one.getAttribute("aria-label"))).toStrictEqual(["年", "月", "日"]));
  const year = Number(chosen()[0]);
  const stops = (): number => document.querySelectorAll("[role=option][tabindex='0']").length;
  wheels()[0]!.querySelector<HTMLElement>("[aria-selected=true]")!.focus();
  press("ArrowUp");
  await soon(() => expect([chosen()[0], document.activeElement!.textContent]).toStrictEqual([String(year - 1), String(year - 1)]));
  press("PageUp");
  await soon(() => expect(chosen()[0]).toBe(String(year - 11)));
  press("ArrowDown");
  press("ArrowRight");
  expect(wheels()[1]!.contains(document.activeElement)).toBe(true);
  press("Home");
  press("ArrowUp"); // there is none before the first
  await soon(() => expect(wheels()[2]!.children.length, "days of January").toBe(31));
  press("ArrowRight");
  press("End");
  await soon(() => expect([chosen(), stops()], "each wheel is one stop").toStrictEqual([[String(year - 10), "01", "31"], 3]));
  press("Enter");
  await soon(() => expect(document.querySelector<HTMLInputElement>("main input.number")?.value).toBe(`${year - 10}-01-31`));

  await go("/new/building");
  const floors = await soon(() => input("floors_count") ?? Promise.reject(new Error("no count")));
  for (const key of ["ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown"]) {
    floors.focus();
    press(key);
    await soon(() => expect(input("floors_count")?.getAttribute("aria-valuenow")).not.toBeNull());
  }
  await soon(() => expect([floors.value, floors.getAttribute("role"), floors.getAttribute("aria-valuenow")]).toStrictEqual(["2", "spinbutton", "2"]));
  close();
});
