// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp, h, nextTick, ref } from "vue";
import { post } from "../../api/client.ts";
import type { ConflictRow } from "../../api/records.ts";
import { i18n } from "../../words/index.ts";
import ConflictCard from "./ConflictCard.vue";

vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), post: vi.fn() }));

const sibling = (op_id: string, stands: boolean) => ({ op_id, role: stands ? "current" : "set_aside", stands, by: null, claimed_at: null, arrived_at: null, values: { name: { value: op_id, label: null } } });
const row: ConflictRow = {
  conflict_id: "k", kind: "value", policy: "review", opened_at: "2026-03-02T00:00:00Z", unit: "name", label: { zh: "姓名", en: "Name" }, base: null, now: null,
  record: { id: "r", type: "person", type_label: { zh: "人", en: "Person" }, title: null, v: 1, tag: "t", life: "live", cell: null },
  fields: [{ name: "name", label: { zh: "姓名", en: "Name" }, privacy: "personal" }], siblings: [sibling("a", true), sibling("b", false)],
};

test("a decision that became another dispute leaves the card where it is, to be read anew; one that stands takes it away", async () => {
  const told: string[] = [];
  const conflict = ref(row);
  const app = createApp({ render: () => h(ConflictCard, { conflict: conflict.value, onSettled: () => told.push("settled"), onStale: () => told.push("stale") }) });
  app.use(i18n).component("RouterLink", { render: () => null });
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  for (const [n, outcome] of ["conflict", "held", "applied"].entries()) {
    vi.mocked(post).mockResolvedValueOnce({ op_id: "o", now: { outcome, reason: null, status: "now" }, errors: [] });
    const take = () => page.querySelector<HTMLButtonElement>(".side:nth-child(2) button")!;
    take().click();
    await vi.waitFor(() => expect(told.length).toBe(n + 1));
    await nextTick();
    expect(take().disabled).toBe(true); // decided: not once more before it is read anew
    conflict.value = { ...row };
    await nextTick();
  }
  expect(told).toEqual(["stale", "stale", "settled"]);
  app.unmount();
});
