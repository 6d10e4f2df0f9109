// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp, h } from "vue";
import { get, post, Problem } from "../../api/client.ts";
import { i18n } from "../../words/index.ts";
import MoveAwayDialog from "./MoveAwayDialog.vue";

vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), get: vi.fn(), post: vi.fn() }));

test("asked again after a line that broke, the request to the other community is the same one", async () => {
  i18n.global.locale.value = "zh-CN";
  vi.mocked(get).mockResolvedValue([{ community_id: "c2", name: "东邻社区" }]);
  const asked: { op_id: string; name: string }[] = [];
  let isBroken = true;
  vi.mocked(post).mockImplementation(async (_, body) => {
    asked.push(...(body as { ops: { op_id: string; name: string }[] }).ops);
    if (isBroken) throw new Problem(0, "no-connection", "no connection", [], {});
    return { results: [{ op_id: "o", now: { outcome: "held" }, errors: [] }] };
  });
  const close = vi.fn();
  const app = createApp({ render: () => h(MoveAwayDialog, { id: "h1", type: "household", base: { v: 3, tag: "t3" }, onClose: close }) });
  app.use(i18n);
  app.mount(document.body.appendChild(document.createElement("div")));
  const form = await vi.waitFor(() => document.querySelector("form") ?? expect.fail("no form"));
  const again = () => form.dispatchEvent(new Event("submit", { cancelable: true }));
  again();
  await vi.waitFor(() => expect(asked.length).toBe(1));
  await new Promise((go) => setTimeout(go));
  isBroken = false;
  again();
  await vi.waitFor(() => expect(close).toHaveBeenCalled());
  expect(asked.map((one) => one.op_id)).toStrictEqual([asked[0]!.op_id, asked[0]!.op_id]);
  app.unmount();
});
