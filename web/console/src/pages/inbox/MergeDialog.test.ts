// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp, h } from "vue";
import { post } from "../../api/client.ts";
import { i18n } from "../../words/index.ts";
import MergeDialog from "./MergeDialog.vue";

vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), post: vi.fn() }));

test("turned round before its first preview has come, a merge goes in the direction that is read", async () => {
  i18n.global.locale.value = "zh-CN";
  const answers: (() => void)[] = [];
  const written: unknown[] = [];
  vi.mocked(post).mockImplementation((path, body) => {
    if (!String(path).includes("preview")) return Promise.resolve((written.push(...(body as { ops: unknown[] }).ops), { results: [{ now: { outcome: "applied" }, errors: [] }] }));
    const { id } = body as { id: string };
    return new Promise((give) => answers.push(() => give({ units: [], findings: [], command: { kind: "command", name: "merge", type: "person", id } })));
  });
  const side = (id: string) => ({ id, type: "person", title: id });
  const app = createApp({ render: () => h(MergeDialog, { records: [side("first"), side("second")] }) });
  app.use(i18n);
  app.mount(document.body.appendChild(document.createElement("div")));
  const button = (words: string) => [...document.querySelectorAll("button")].find((one) => one.textContent.includes(words))!;
  await vi.waitFor(() => expect(answers.length).toBe(1));
  button("⇄").click();
  await vi.waitFor(() => expect(answers.length).toBe(2));
  answers[1]!();
  await vi.waitFor(() => expect(button("同一个人，合并").disabled).toBe(false));
  answers[0]!();
  await new Promise((go) => setTimeout(go));
  button("同一个人，合并").click();
  await vi.waitFor(() => expect(written).toMatchObject([{ name: "merge", id: "second" }]));
  app.unmount();
});
