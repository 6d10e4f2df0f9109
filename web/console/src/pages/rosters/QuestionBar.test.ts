// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp, h } from "vue";
import type { Question } from "../../api/types.ts";
import { countsOf } from "../../questions.ts";
import { i18n, speak } from "../../words/index.ts";
import QuestionBar from "./QuestionBar.vue";

vi.mock(import("../../questions.ts"), async (original) => ({ ...(await original()), countsOf: vi.fn() }));

test("where the numbers of a question cannot be read, that is said, and asked again they stand there", async () => {
  speak("zh-CN");
  const label = { zh: "80 岁以上独自居住", en: "Over 80 and alone" };
  const question = { name: "old", label, ask: [], lists: [{ name: "old", label, roster: "persons", filters: [] }] } as unknown as Question;
  const cell = { cell_id: "c", code: "1", name: "第一网格", count: 7 };
  vi.mocked(countsOf).mockRejectedValueOnce(new Error("no line")).mockResolvedValueOnce({ as_of: "", lists: [{ name: "old", true_on: null, count: 7, cells: [cell], elsewhere: 0 }] });
  const app = createApp({ render: () => h(QuestionBar, { question, list: "old", cell: null, day: null, notOn: null }) });
  const page = document.body.appendChild(document.createElement("div"));
  app.use(i18n).mount(page);
  await vi.waitFor(() => expect(page.querySelector("[role=alert]")?.textContent).toContain("各网格的数量没有读到：no line"));
  page.querySelector<HTMLElement>("[role=alert] button")!.click();
  await vi.waitFor(() => expect(page.textContent).toContain("第一网格 7"));
  expect(page.querySelector("[role=alert]")).toBeNull();
  app.unmount();
});
