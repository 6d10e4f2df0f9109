// @vitest-environment jsdom
import { expect, test } from "vitest";
import { drawn, soon } from "../kit-screens.ts";

const box = (): HTMLInputElement | null => document.querySelector("#find");
const shownFor = (): string | undefined => document.querySelector<HTMLElement>("main")?.dataset["asked"];
const rows = (): number => document.querySelectorAll("main > .list > .item").length;

test("back from a door the search stands as it was left: what was typed, all that was found, and how far it was scrolled; a new one is empty, so is one behind a lock; a door in a list says where two differ", async () => {
  const { engine, go, back, at, tap, says, close } = await drawn(async ({ engine, cell }) => {
    for (let i = 0; i < 30; i += 1) cell.put(`p${i}`, 1, { name: `试验${i}`, residence_household: "h1" });
    cell.put("d1", 1, { door_number: "301" }, { type: "dwelling" });
    cell.put("h1", 1, { kind: "family", dwelling: "d1" }, { type: "household" });
    cell.put("h2", 1, { kind: "family", dwelling: "d1" }, { type: "household", conflicts: ["kind"] });
    cell.put("h3", 1, { kind: "family", dwelling: "d1" }, { type: "household" });
    cell.put("q1", 1, { name: "某人", residence_household: "h3" }, { conflicts: ["name"] });
    await engine.sync();
  });
  await go("/find");
  await soon(() => expect(box()).not.toBeNull());
  box()!.value = "试验";
  box()!.dispatchEvent(new Event("input"));
  await soon(() => expect([shownFor(), rows()], "the first ones with the keystroke").toStrictEqual(["试验", 10]));
  await soon(() => expect(rows(), "then the others").toBe(30));
  const scrolled: unknown[] = [];
  Object.assign(window, { scrollTo: (to: unknown) => void scrolled.push([to, rows()]) });
  Object.defineProperty(window, "scrollY", { value: 640, configurable: true });
  Object.defineProperty(window, "pageYOffset", { value: 640, configurable: true });
  await tap("试验29");
  await at(/^\/person\/p29$/);
  back();
  await at(/^\/find$/);
  await soon(() => expect([box()?.value, rows()]).toStrictEqual(["试验", 30]));
  await soon(() => expect(scrolled.at(-1), "as long as it was").toStrictEqual([expect.objectContaining({ top: 640 }), 30]));

  await go("/due");
  const marked = (id: string): boolean | undefined => document.querySelector(`a[href$="/household/${id}"]`)?.textContent?.includes("两人填的不一样");
  await soon(() => expect(["h1", "h2", "h3"].map(marked), "also in the list a door says where two differ").toStrictEqual([false, true, true]));
  await go("/find");
  await soon(() => expect([box()?.value, rows()]).toStrictEqual(["", 0]));
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
  await soon(() => expect(box()?.value, "it names people: not behind a lock").toBe(""));
  close();
});
