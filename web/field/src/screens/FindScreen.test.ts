// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { drawn } from "../kit-screens.ts";

const box = (): HTMLInputElement | null => document.querySelector("#find");
const rows = (): number => document.querySelectorAll("main > .list > .item").length;

test("back from a door the search stands as it was left: what was typed, all that was found, and how far it was scrolled; a new one is empty, and so is one behind a lock", async () => {
  const { engine, go, back, at, tap, says, close } = await drawn(async ({ engine, cell }) => {
    for (let i = 0; i < 30; i += 1) cell.put(`p${i}`, 1, { name: `试验${i}`, residence_household: "h1" });
    cell.put("h1", 1, { kind: "family" }, { type: "household" });
    await engine.sync();
  });
  await go("/find");
  await vi.waitFor(() => expect(box()).not.toBeNull());
  box()!.value = "试验";
  box()!.dispatchEvent(new Event("input"));
  await vi.waitFor(() => expect(rows()).toBe(30), { timeout: 10_000 }); // the first ones, then the others
  const scrolled: unknown[] = [];
  Object.assign(window, { scrollTo: (to: unknown) => void scrolled.push([to, rows()]) });
  Object.defineProperty(window, "scrollY", { value: 640, configurable: true });
  Object.defineProperty(window, "pageYOffset", { value: 640, configurable: true });
  await tap("试验29");
  await at(/^\/person\/p29$/);
  back();
  await at(/^\/find$/);
  await vi.waitFor(() => expect([box()?.value, rows()]).toStrictEqual(["试验", 30]));
  await vi.waitFor(() => expect(scrolled.at(-1), "as long as it was").toStrictEqual([expect.objectContaining({ top: 640 }), 30]));

  await go("/due");
  await go("/find");
  await vi.waitFor(() => expect([box()?.value, rows()]).toStrictEqual(["", 0]));
  box()!.value = "试验1";
  box()!.dispatchEvent(new Event("input"));
  await tap("试验12");
  await at(/^\/person\/p12$/);
  engine.lock();
  await says("请输入密码");
  await engine.unlock("246810");
  await says("试验12");
  back();
  await at(/^\/find$/);
  await vi.waitFor(() => expect(box()?.value, "it names people: not behind a lock").toBe(""));
  close();
});
