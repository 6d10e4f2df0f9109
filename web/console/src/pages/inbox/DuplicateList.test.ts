// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp, h } from "vue";
import { get } from "../../api/client.ts";
import { reference } from "../../reference.ts";
import { i18n } from "../../words/index.ts";
import DuplicateList from "./DuplicateList.vue";

vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), get: vi.fn() }));
vi.mock("./DelegateChip.vue", () => ({ default: { render: () => null } }));

test("codes of a pair stand in the language of the screen, beside why the pair comes where it does", async () => {
  i18n.global.locale.value = "en";
  reference.value = { forms: { person: { fields: [{ name: "sex", codelist: "sex" }] } }, codelists: { sex: { entries: [{ code: "1", label: { zh: "男", en: "Male" } }] } } } as never;
  const side = (id: string) => ({ id, type: "person", title: id, cell: null });
  vi.mocked(get).mockResolvedValueOnce({ as_of: "2026-03-01T08:00:00Z", count: 1, next: null, rows: [{ harm: 0, score: 80, reasons: [], records: [side("a"), side("b")], delegated_to: null, checks: [], fields: [{ name: "sex", label: { zh: "性别", en: "Sex" }, values: ["男", null], same: false }] }] });
  const app = createApp({ render: () => h(DuplicateList, { kind: "duplicates" }) });
  app.use(i18n).component("RouterLink", { render: () => null });
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  await vi.waitFor(() => expect(page.querySelector("tbody tr")).not.toBeNull());
  expect([...page.querySelectorAll("tbody td")].map((one) => one.textContent)).toEqual(["Sex", "Male", "(empty)"]);
  expect(page.querySelector(".tag.bad")!.textContent).toBe("Somebody over 80 or in care");
  app.unmount();
});
