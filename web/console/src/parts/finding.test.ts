// @vitest-environment jsdom
import { expect, test } from "vitest";
import { useFinding } from "./finding.ts";

const settle = () => new Promise((go) => setTimeout(go));

test("Enter opens what was found by the words in the box: other words are asked for first", async () => {
  const asked: string[] = [];
  const box = useFinding<string, { rows: string[] }>(async (text) => (asked.push(text), [{ rows: [`${text} one`, `${text} two`] }, { rows: [] }]));
  box.text.value = "Li";
  expect(box.chosen()).toBeNull();
  await settle();
  expect(box.groups.value).toEqual([{ rows: ["Li one", "Li two"] }]);
  box.at.value = 1;
  expect(box.chosen()).toBe("Li two");

  box.text.value = "Li Na";
  box.typed();
  expect(box.chosen()).toBeNull();
  expect(asked).toEqual(["Li", "Li Na"]);
  await settle();
  expect(box.chosen()).toBe("Li Na one");
});

test("a late answer to former words is not opened, and an emptied box has no hits", async () => {
  const give: ((groups: { rows: string[] }[]) => void)[] = [];
  const box = useFinding<string, { rows: string[] }>(() => new Promise((go) => give.push(go)));
  box.text.value = "Wang";
  box.chosen();
  box.text.value = "Zhang";
  give[0]!([{ rows: ["Wang one"] }]);
  await settle();
  expect([box.groups.value, box.chosen()]).toEqual([null, null]);
  give[1]!([{ rows: ["Zhang one"] }]);
  await settle();
  expect(box.chosen()).toBe("Zhang one");
  box.text.value = " ";
  box.typed();
  expect([box.groups.value, box.chosen(), give.length]).toEqual([null, null, 2]);
});
