// @vitest-environment jsdom
import { ElMessageBox } from "element-plus";
import { expect, test, vi } from "vitest";
import { createApp, h, nextTick } from "vue";
import { get } from "../../api/client.ts";
import { i18n } from "../../words/index.ts";
import ConflictList from "./ConflictList.vue";

vi.mock("vue-router", () => ({ useRoute: () => ({ params: {}, query: {} }), useRouter: () => ({}) }));
vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), get: vi.fn() }));
vi.mock("./ConflictCard.vue", async () => {
  const { h } = await import("vue");
  return { default: { props: ["conflict"], emits: ["settled"], render(this: { conflict: { conflict_id: string }; $emit: (name: string, id: string) => void }) {
    return h("article", { onClick: () => this.$emit("settled", this.conflict.conflict_id) });
  } } };
});

test("what was settled is neither among the cards nor in their number at the foot of the list", async () => {
  i18n.global.locale.value = "zh-CN";
  const rows = ["a", "b", "c"].map((conflict_id) => ({ conflict_id, kind: "value", record: { life: "live" }, siblings: [], now: null }));
  vi.mocked(get).mockResolvedValueOnce({ as_of: "2026-03-01T08:00:00Z", count: 3, next: null, rows });
  const app = createApp({ render: () => h(ConflictList) });
  app.use(i18n).component("RouterLink", { render: () => null });
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  await vi.waitFor(() => expect(page.querySelectorAll("article").length).toBe(3));
  expect(page.querySelector("footer")!.textContent).toContain("3 条");
  page.querySelector("article")!.click();
  await vi.waitFor(() => expect(page.querySelectorAll("article").length).toBe(2));
  expect(page.querySelector("footer")!.textContent).toContain("2 条");
  app.unmount();
});

test("a question about all in sight that was never answered, because somebody went back, holds nothing up", async () => {
  i18n.global.locale.value = "zh-CN";
  const rows = ["a", "b"].map((conflict_id) => ({ conflict_id, kind: "value", record: { life: "live" }, siblings: [], now: null }));
  vi.mocked(get).mockResolvedValueOnce({ as_of: "2026-03-01T08:00:00Z", count: 2, next: null, rows });
  const ask = vi.spyOn(ElMessageBox, "confirm").mockReturnValue(new Promise(() => {}) as never);
  const app = createApp({ render: () => h(ConflictList) });
  app.use(i18n).component("RouterLink", { render: () => null });
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  await vi.waitFor(() => expect(page.querySelectorAll(".top button").length).toBe(2));
  const latest = page.querySelector<HTMLButtonElement>(".top button")!;
  for (const times of [1, 2]) {
    latest.click();
    await nextTick();
    expect([ask.mock.calls.length, latest.disabled]).toEqual([times, false]);
  }
  app.unmount();
});
