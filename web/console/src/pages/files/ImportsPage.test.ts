// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp } from "vue";
import { get, post, send } from "../../api/client.ts";
import { i18n } from "../../words/index.ts";
import ImportsPage from "./ImportsPage.vue";

vi.mock("vue-router", () => ({ useRoute: () => ({ name: "imports" }), RouterLink: {} }));
vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), get: vi.fn(), post: vi.fn(), send: vi.fn() }));
vi.mock("./ImportReport.vue", () => ({ default: { render: () => null } }));

test("a table is planned and written once, however often the button is tapped before the answer", async () => {
  i18n.global.locale.value = "zh-CN";
  const job = (act: string) => ({ import_id: act, act, file_id: "f", name: "表.csv", state: "done", requested_at: "2026-03-01T08:00:00Z", done: 1, total: 1, error: null, result: { rows: 1, outcomes: { new: 1 } } });
  vi.mocked(get).mockImplementation((path) => Promise.resolve(path === "/api/v1/imports" ? { imports: [] } : job(String(path).split("/").at(-1)!)));
  vi.mocked(send).mockResolvedValue(new Response(JSON.stringify({ file_id: "f", sheet: "", heading_row: 1, rows: 1, sheets: [], remembered: false, columns: [{ heading: "姓名", key: "姓名", target: "person.name" }], targets: [] })));
  const answers: (() => void)[] = [];
  vi.mocked(post).mockImplementation((_, body) => new Promise((give) => answers.push(() => give(job((body as { act: string }).act)))));
  const app = createApp(ImportsPage);
  app.use(i18n).component("RouterLink", { render: () => null });
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  const field = page.querySelector<HTMLInputElement>("input[type=file]")!;
  Object.defineProperty(field, "files", { value: [new File(["姓名\n甲\n"], "表.csv")] });
  field.dispatchEvent(new Event("change"));
  const button = (words: string) => [...page.querySelectorAll("button")].find((one) => one.textContent.includes(words));
  for (const [n, words] of ["预演", "写入 1 行"].entries()) {
    await vi.waitFor(() => expect(button(words)?.disabled).toBe(false));
    for (let taps = 0; taps < 2; taps += 1) button(words)!.click();
    await new Promise((go) => setTimeout(go));
    expect(answers.length).toBe(n + 1);
    answers[n]!();
  }
  await vi.waitFor(() => expect(page.textContent).toContain("已写入"));
  app.unmount();
});
