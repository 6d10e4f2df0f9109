// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp } from "vue";
import { get, post } from "../../api/client.ts";
import { i18n } from "../../words/index.ts";
import RecordPage from "./RecordPage.vue";

vi.mock("vue-router", () => ({ useRoute: () => ({ params: { type: "dwelling", id: "r" } }), useRouter: () => ({}), createRouter: () => ({ beforeEach: () => {}, onError: () => {}, afterEach: () => {} }), createWebHashHistory: () => ({}) }));
vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), get: vi.fn(), post: vi.fn() }));
vi.mock(import("../../reference.ts"), async (original) => ({ ...(await original()), loadReference: () => Promise.resolve({} as never) }));
vi.mock("./acts/ActBar.vue", () => ({ default: { render: () => null } }));

test("while a record is read anew nothing is done to what stood before: what is done next is written against what stands then", async () => {
  i18n.global.locale.value = "zh-CN";
  const answers: ((v: number) => void)[] = [];
  const pageOf = (v: number) => ({
    as_of: "2026-03-01T08:00:00Z", record: { id: "r", type: "dwelling", type_label: { zh: "房屋", en: "Dwelling" }, title: "1-101", v, tag: `t${v}`, life: "live", cell: null, placement: null },
    screens: [], units: [], derived: [], conflicts: [], findings: [], related: [], can: { write: true, unmask: [], history: false, looks: false },
  });
  vi.mocked(get).mockImplementation(() => new Promise((give) => answers.push((v) => give(pageOf(v)))));
  vi.mocked(post).mockResolvedValue({ results: [{ now: { outcome: "applied" }, errors: [] }] });
  const app = createApp(RecordPage);
  app.use(i18n).component("RouterLink", { render: () => null });
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  const buttons = () => [...page.querySelectorAll<HTMLButtonElement>(".head .actions button")];
  await vi.waitFor(() => expect(answers.length).toBe(1));
  answers[0]!(1);
  await vi.waitFor(() => expect(buttons().map((one) => one.disabled)).toEqual([false, false]));
  for (let taps = 0; taps < 2; taps += 1) buttons()[0]!.click();
  await vi.waitFor(() => expect(answers.length).toBe(2));
  expect(buttons().map((one) => one.disabled)).toEqual([true, true]); // to confirm, to delete
  answers[1]!(2);
  await vi.waitFor(() => expect(buttons().map((one) => one.disabled)).toEqual([false, false]));
  buttons()[0]!.click();
  await vi.waitFor(() => expect(answers.length).toBe(3));
  expect(vi.mocked(post).mock.calls.map((call) => (call[1] as { ops: object[] }).ops[0])).toMatchObject([1, 2].map((v) => ({ kind: "confirm", base: { v, tag: `t${v}` } })));
  app.unmount();
});
