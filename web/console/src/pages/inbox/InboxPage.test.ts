// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp } from "vue";
import { i18n } from "../../words/index.ts";
import { waiting } from "../../waiting.ts";
import InboxPage from "./InboxPage.vue";

vi.mock("vue-router", () => ({ useRoute: () => ({ params: { kind: "conflicts" }, query: {} }) }));
vi.mock(import("../../waiting.ts"), async (original) => ({ ...(await original()), countWaiting: async () => undefined }));
vi.mock(import("../../reference.ts"), async (original) => ({ ...(await original()), loadReference: async () => ({}) as never }));
vi.mock("./ConflictList.vue", () => ({ default: { render: () => null } }));

test("a tab says how many its list has, none as well; of visits it says how many need the office, and nothing where none does", () => {
  i18n.global.locale.value = "zh-CN";
  const tabs = (counts: Record<string, number>) => {
    waiting.value = counts;
    const app = createApp(InboxPage);
    app.use(i18n).component("RouterLink", (_: object, { slots }: { slots: Record<string, (() => unknown) | undefined> }) => slots["default"]?.() as never);
    const page = document.body.appendChild(document.createElement("div"));
    app.mount(page);
    const told = page.querySelector("nav")!.textContent;
    app.unmount();
    return told;
  };
  expect(tabs({ conflicts: 0, visits: 0 })).toMatch(/两人填的不一样\s*0.*走访\D*$/);
  expect(tabs({ conflicts: 2, visits: 3 })).toMatch(/两人填的不一样\s*2.*走访\s*3/);
});
