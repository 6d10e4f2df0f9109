// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp } from "vue";
import { get, post } from "../../api/client.ts";
import { i18n } from "../../words/index.ts";
import { reference } from "../../reference.ts";
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

test("a result that is not what the answers come to is worked out again with one tap", async () => {
  i18n.global.locale.value = "zh-CN";
  const field = (name: string, value: number | null) => ({ name, label: { zh: name, en: name }, type: "integer", privacy: "internal", codelist: null, measure: null, value, text: null, masked: false, ref: null });
  const known = (name: string, value: number | null) => ({ unit: name, label: { zh: name, en: name }, policy: "last", fields: [field(name, value)], conflict: null, known: null, confirmed: null });
  const calculation = { text: "", tree: { call: "*", args: [{ field: "rooms" }, { lit: 2 }] } };
  reference.value = { forms: { dwelling: { name: "dwelling", version: 1, label: {}, fields: [{ name: "rooms", type: "integer", label: {} }, { name: "twice", type: "integer", label: {}, calculation }, { name: "hushed", type: "integer", label: { zh: "hushed", en: "hushed" }, calculation }] } }, codelists: {} } as never;
  vi.mocked(post).mockClear();
  vi.mocked(post).mockResolvedValue({ results: [{ now: { outcome: "applied" }, errors: [] }] });
  vi.mocked(get).mockResolvedValue({
    as_of: "2026-03-01T08:00:00Z", record: { id: "r", type: "dwelling", type_label: { zh: "房屋", en: "Dwelling" }, title: "1-101", v: 1, tag: "t1", life: "live", cell: null, placement: null },
    screens: [{ name: "main", label: { zh: "主要", en: "Main" }, units: ["rooms", "twice", "hushed"] }],
    units: [known("rooms", 3), known("twice", null), known("hushed", 9)], derived: [], conflicts: [], related: [],
    findings: [{ finding_id: "f", kind: "constraint", name: "twice_calculation", message: { zh: "两倍与按答案计算的结果不一致", en: "" }, units: ["twice"], opened_at: "" }], can: { write: true, unmask: [], history: false, looks: false },
  });
  const app = createApp(RecordPage);
  app.use(i18n).component("RouterLink", { render: () => null });
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  const again = await vi.waitFor(() => [...page.querySelectorAll("button")].find((one) => one.textContent === "重新计算") ?? expect.fail("no button"));
  expect([page.textContent!.includes("rooms"), page.textContent!.includes("hushed")], "without words of its own it is nobody's to read").toEqual([true, false]);
  again.click();
  await vi.waitFor(() => expect(post).toHaveBeenCalled());
  expect((vi.mocked(post).mock.calls[0]![1] as { ops: object[] }).ops).toEqual([expect.objectContaining({ kind: "patch", id: "r", base: { v: 1, tag: "t1" }, set: { twice: 6 }, was: { twice: null } })]);
  app.unmount();
});
