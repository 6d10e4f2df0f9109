// @vitest-environment jsdom
import { expect, test } from "vitest";
import { drawn, soon } from "../kit-screens.ts";

const DAY_MS = 86_400_000;

test("a door has the colour that the legend names for how long ago somebody was met: two thirds of the way to the next visit it is due soon, at the end due", async () => {
  const { go, close } = await drawn(async ({ engine, cell }) => {
    cell.put("b1", 1, { number: "1" }, { type: "building" });
    for (const days of [0, 59, 60, 89, 90, null, "nobody"] as const) {
      const number = String(days ?? "unknown");
      cell.put(`d${number}`, 1, { building: "b1", door_number: number }, { type: "dwelling" });
      const met = typeof days === "number" ? { kind: { claimed_at: new Date(Date.now() - days * DAY_MS - 60_000).toISOString() } } : {};
      if (days !== "nobody") cell.put(`h${number}`, 1, { dwelling: `d${number}`, kind: "family" }, { type: "household", confirmed: met });
    }
    await engine.sync();
  });
  await go("/building/b1");
  const doors = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>("button.door")];
  await soon(() => expect(doors()).toHaveLength(7));
  const named = new Map([...document.querySelectorAll(".legend li")].map((one) => [[...one.querySelector(".swatch")!.classList].at(-1), one.textContent?.trim()]));
  const shown = doors().map((one) => [one.querySelector("b")!.textContent, one.querySelector("span")!.textContent, named.get([...one.classList].at(-1))]);
  expect(shown.sort()).toStrictEqual([
    ["0", "今天", "已核实"], ["59", "59 天", "已核实"], ["60", "60 天", "快到期"], ["89", "89 天", "快到期"], ["90", "90 天", "该访了"], ["nobody", "无住户", "无住户"], ["unknown", "未访", "从未访"],
  ]);
  close();
});
