// @vitest-environment jsdom
import { ElMessageBox } from "element-plus";
import { expect, test, vi } from "vitest";
import { createApp, h, nextTick, ref } from "vue";
import { post } from "../../api/client.ts";
import type { FactUnit, RecordAnswer } from "../../api/records.ts";
import { i18n } from "../../words/index.ts";
import UnitCard from "./UnitCard.vue";

vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), post: vi.fn() }));

const label = { zh: "备注", en: "Note" };
const unit = { unit: "note", label, policy: "review", known: null, confirmed: null, conflict: null, fields: [{ name: "note", label, type: "text", value: "old", text: "old" }] } as unknown as FactUnit;
const record = { id: "r", type: "household", v: 1, tag: "t", life: "live" } as unknown as RecordAnswer["record"];

test("the button that leaves an edit asks before it drops what was typed, and asks nothing where nothing was", async () => {
  const ask = vi.spyOn(ElMessageBox, "confirm");
  const app = createApp({ render: () => h(UnitCard, { unit, record, writable: true, unmaskable: [], shown: {}, acts: [] }) });
  app.use(i18n).component("RouterLink", { render: () => null });
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  const click = async (what: string) => (page.querySelector<HTMLElement>(what)!.click(), await nextTick());
  const leave = "form .row button:last-child";
  await click(".pen");
  await click(leave);
  await vi.waitFor(() => expect(page.querySelector("form")).toBeNull());
  expect(ask).not.toHaveBeenCalled();

  await click(".pen");
  const input = page.querySelector<HTMLInputElement>("form input, form textarea")!;
  input.value = "new";
  input.dispatchEvent(new Event("input"));
  await nextTick();
  ask.mockRejectedValueOnce("cancel").mockResolvedValueOnce("confirm" as never);
  await click(leave);
  await nextTick();
  expect([ask.mock.calls.length, page.querySelector<HTMLInputElement>("form input, form textarea")?.value]).toEqual([1, "new"]);
  await click(leave);
  await vi.waitFor(() => expect(page.querySelector("form")).toBeNull());
  app.unmount();
});

test("a fact that was written is shown, and edited again, only as it stands then", async () => {
  vi.mocked(post).mockResolvedValue({ results: [{ now: { outcome: "applied" }, errors: [] }] });
  let read!: () => void;
  const saved = () => new Promise<void>((go) => (read = go));
  const app = createApp({ render: () => h(UnitCard, { unit, record, writable: true, unmaskable: [], shown: {}, acts: [], saved }) });
  app.use(i18n).component("RouterLink", { render: () => null });
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  page.querySelector<HTMLElement>(".pen")!.click();
  await nextTick();
  const input = page.querySelector<HTMLInputElement>("form input, form textarea")!;
  input.value = "new";
  input.dispatchEvent(new Event("input"));
  page.querySelector("form")!.dispatchEvent(new Event("submit"));
  await vi.waitFor(() => expect(read).toBeDefined());
  await nextTick();
  expect([page.querySelector(".pen"), page.querySelector<HTMLInputElement>("form input, form textarea")?.value]).toEqual([null, "new"]);
  read();
  await vi.waitFor(() => expect(page.querySelector(".pen")).not.toBeNull());
  app.unmount();
});

test("while the page is read anew no edit begins from what stood before", async () => {
  const renewing = ref(true);
  const app = createApp({ render: () => h(UnitCard, { unit, record, writable: true, unmaskable: [], shown: {}, acts: [], renewing: renewing.value }) });
  app.use(i18n).component("RouterLink", { render: () => null });
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  const pen = page.querySelector<HTMLButtonElement>(".pen")!;
  pen.click();
  await nextTick();
  expect([pen.disabled, page.querySelector("form")]).toEqual([true, null]);
  renewing.value = false;
  await nextTick();
  pen.click();
  await nextTick();
  expect(page.querySelector("form")).not.toBeNull();
  app.unmount();
});
