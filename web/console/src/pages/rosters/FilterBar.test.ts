// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp, h, nextTick, ref } from "vue";
import type { RosterColumn, RosterDefinition } from "../../api/types.ts";
import { i18n } from "../../words/index.ts";
import FilterBar from "./FilterBar.vue";

const column = (name: string) => ({ name, label: { zh: name, en: name }, type: "integer" }) as RosterColumn;
const roster = (name: string, of: string) => ({ name, base: name, columns: [], filters: [{ column: of, ops: ["gte", "lte"] }] }) as unknown as RosterDefinition;

test("a column that was chosen to filter one list by is not asked of the next, whose columns have yet to come", async () => {
  i18n.global.locale.value = "zh-CN";
  const failed = vi.fn();
  const now = ref({ roster: roster("persons", "age"), columns: [column("age")] });
  const app = createApp({ render: () => h(FilterBar, { ...now.value, filters: [], cell: null, day: null }) });
  app.config.errorHandler = failed;
  app.use(i18n);
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  [...page.querySelectorAll<HTMLButtonElement>("button.chip")].at(-1)!.click();
  await vi.waitFor(() => expect(document.getElementById("filter-column")).not.toBeNull());
  document.getElementById("filter-column")!.click();
  const offered = () => [...document.querySelectorAll<HTMLElement>("[role=option]")].find((one) => one.textContent === "age");
  await vi.waitFor(() => expect(offered()).toBeDefined());
  offered()!.click();
  await vi.waitFor(() => expect(document.getElementById("low")).not.toBeNull());
  now.value = { roster: roster("dwellings", "area_m2"), columns: [] };
  await nextTick();
  await nextTick();
  expect(failed).not.toHaveBeenCalled();
  expect(document.getElementById("low")).toBeNull();
  app.unmount();
});
