// @vitest-environment jsdom
import { expect, test } from "vitest";
import { drawn, soon } from "../kit-screens.ts";

const rows = (): number => document.querySelectorAll("main > .list > .item").length;
const pressed = (): (string | undefined)[] => [...document.querySelectorAll("main [aria-pressed=true]")].map((one) => one.textContent?.trim());

test("cells stand in the order of the first screen, and back from a door the day's list stands as it was left: its cell, all that was drawn, and how far it was scrolled; from the first screen it begins anew", async () => {
  const { go, back, at, tap, close } = await drawn(async ({ engine, cell }) => {
    for (let i = 0; i < 150; i += 1) cell.put(`h${i}`, 1, { kind: "family", household_number: String(i) }, { type: "household", home: i < 130 ? "cell/a" : "cell/b" });
    await engine.sync();
  });
  const { reference } = await import("../session.ts");
  const named = ["b", "a"].map((cell) => ({ type: "Feature", geometry: null, properties: { cell_id: cell, code: cell, name: `${cell} 网格` } }));
  reference.value = { ...reference.value, cells: { type: "FeatureCollection", features: named } } as unknown as typeof reference.value;
  await go("/due");
  await soon(() => expect(rows()).toBe(60));
  await tap("再看");
  await soon(() => expect(rows()).toBe(120));
  const cells = [...document.querySelectorAll<HTMLElement>("main [aria-pressed]")];
  expect(cells.map((one) => one.textContent?.trim()), "in the order of the first screen").toStrictEqual(["全部网格", "b 网格", "a 网格"]);
  const [all, , large] = cells;
  large!.click();
  await soon(() => expect([rows(), all!.getAttribute("aria-pressed"), pressed().length]).toStrictEqual([120, "false", 1]));
  const chosen = pressed();
  const scrolled: unknown[] = [];
  Object.assign(window, { scrollTo: (to: unknown) => void scrolled.push([to, rows()]) });
  Object.defineProperty(window, "scrollY", { value: 4200, configurable: true });
  Object.defineProperty(window, "pageYOffset", { value: 4200, configurable: true });
  [...document.querySelectorAll<HTMLElement>("main > .list > .item")][100]!.click();
  await at(/^\/household\//);
  back();
  await at(/^\/due$/);
  await soon(() => expect([rows(), pressed()]).toStrictEqual([120, chosen]));
  await soon(() => expect(scrolled.at(-1), "when the list is as long as it was").toStrictEqual([expect.objectContaining({ top: 4200 }), 120]));

  await go("/");
  await go("/due");
  await soon(() => expect([rows(), all!.isConnected, pressed()]).toStrictEqual([60, false, ["全部网格"]]));
  close();
});
