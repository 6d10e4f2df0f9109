// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp, h, nextTick } from "vue";
import { get } from "../../api/client.ts";
import { i18n } from "../../words/index.ts";
import TemplateSources from "./TemplateSources.vue";
import type { Run } from "./templates.ts";

vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), get: vi.fn() }));

test("a cell is looked up once its sheet is known, and what stands below belongs to the place that was tapped last", async () => {
  const answers: ((told: object) => void)[] = [];
  vi.mocked(get).mockImplementation(() => new Promise((give) => answers.push(give)));
  const app = createApp({ render: () => h(TemplateSources, { run: { run_id: "r", name: "表" } as Run }) });
  app.use(i18n).component("RouterLink", { render: () => null });
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  const look = page.querySelector<HTMLButtonElement>("button[type=submit]")!;
  expect(look.disabled).toBe(true);
  answers[0]!({ places: ["A1", "B2"].map((cell) => ({ part: "p", sheet: "一", cell, source: cell, count: 1 })) });
  await vi.waitFor(() => expect(look.disabled).toBe(false));
  for (const place of page.querySelectorAll<HTMLButtonElement>("button.chip:not(.on)")) place.click();
  const found = (source: string) => ({ sources: [{ source, count: 1, records: [{ type: null, id: source, title: `of ${source}`, gone: false }] }] });
  answers[2]!(found("B2"));
  await vi.waitFor(() => expect(page.querySelector("li")?.textContent).toContain("of B2"));
  answers[1]!(found("A1"));
  await new Promise((go) => setTimeout(go));
  await nextTick();
  expect(page.querySelector("li")?.textContent).toContain("of B2");
  app.unmount();
});
