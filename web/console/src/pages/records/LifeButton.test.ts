// @vitest-environment jsdom
import { ElMessageBox } from "element-plus";
import { expect, test, vi } from "vitest";
import { createApp, h } from "vue";
import { post } from "../../api/client.ts";
import type { RecordAnswer } from "../../api/records.ts";
import { reference } from "../../reference.ts";
import { i18n } from "../../words/index.ts";
import LifeButton from "./LifeButton.vue";

vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), post: vi.fn() }));

const related = (relation: string, zh: string, count: number) => ({ relation, type_label: { zh, en: relation }, count });
const pageOf = (life: string) =>
  ({ record: { id: "r", type: "household", v: 3, tag: "t", life }, related: [related("person.residence_household", "人员", 3), related("visit.household", "走访", 0), related("residence.household", "居住经历", 2), related("relatives", "亲属", 4)] }) as unknown as Pick<RecordAnswer, "record" | "related">;

async function tap(life: string): Promise<string[]> {
  const did: string[] = [];
  const app = createApp({ render: () => h(LifeButton, { page: pageOf(life), name: "某户", onDone: () => did.push("done") }) });
  app.use(i18n);
  const place = document.body.appendChild(document.createElement("div"));
  app.mount(place);
  place.querySelector("button")?.click();
  await new Promise((go) => setTimeout(go));
  await new Promise((go) => setTimeout(go));
  did.unshift(place.textContent);
  app.unmount();
  return did;
}

test("deleting says what stays behind and asks first; it is written against what was shown, and comes back the same way", async () => {
  i18n.global.locale.value = "zh-CN";
  const form = (server_made: boolean, ...placed_by: string[]) => ({ server_made, placed_by, fields: [] });
  reference.value = { forms: { person: form(false, "residence_household"), visit: form(false, "household"), residence: form(true, "household") } } as never;
  const ask = vi.spyOn(ElMessageBox, "confirm").mockRejectedValueOnce("cancel").mockResolvedValue("confirm" as never);
  expect(await tap("live")).toEqual(["删除档案…"]);
  expect(post).not.toHaveBeenCalled();
  expect(ask.mock.calls[0]![0]).toContain("不会一起删除：人员 3。");
  vi.mocked(post).mockResolvedValue({ results: [{ now: { outcome: "applied" }, errors: [] }] });
  expect(await tap("live")).toEqual(["删除档案…", "done"]);
  expect(await tap("deleted")).toEqual(["恢复档案", "done"]);
  expect(vi.mocked(post).mock.calls.map((call) => (call[1] as { ops: object[] }).ops[0])).toMatchObject(["delete", "restore"].map((kind) => ({ kind, type: "household", id: "r", base: { v: 3, tag: "t" } })));
  expect([await tap("merged"), await tap("erased")]).toEqual([[""], [""]]);
});
