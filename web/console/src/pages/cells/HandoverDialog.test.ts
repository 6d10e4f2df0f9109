// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp, h, nextTick, ref } from "vue";
import { get } from "../../api/client.ts";
import type { Assignment } from "../../api/types.ts";
import { i18n } from "../../words/index.ts";
import HandoverDialog from "./HandoverDialog.vue";

vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), get: vi.fn() }));

test("what the predecessor's phones still hold is told of the cell that is handed over, also where another was tapped first", async () => {
  i18n.global.locale.value = "zh-CN";
  const answers: (() => void)[] = [];
  const devices = ["first", "second"].map((user_id) => ({ install_id: user_id, label: `phone of the ${user_id}`, user_id, last_seen_at: null, unsent: 2, revoked_at: null }));
  vi.mocked(get).mockImplementation(() => new Promise((give) => answers.push(() => give({ devices }))));
  const assignment = ref<Assignment | null>(null);
  const app = createApp({ render: () => h(HandoverDialog, { assignment: assignment.value, workers: [], name: "" }) });
  app.use(i18n);
  app.mount(document.body.appendChild(document.createElement("div")));
  for (const user_id of ["first", "second"]) {
    assignment.value = { user_id, assignment_id: user_id, cell_id: "c" } as Assignment;
    await nextTick();
  }
  answers[1]!();
  await vi.waitFor(() => expect(document.body.textContent).toContain("phone of the second"));
  answers[0]!();
  await new Promise((go) => setTimeout(go));
  expect(document.body.textContent).not.toContain("phone of the first");
  app.unmount();
});

test("nothing is handed over while it is not known what the phones still hold", async () => {
  vi.mocked(get).mockRejectedValue(new TypeError("line"));
  const assignment = ref<Assignment | null>(null);
  const app = createApp({ render: () => h(HandoverDialog, { assignment: assignment.value, workers: [], name: "", onClose: () => (assignment.value = null) }) });
  app.use(i18n);
  app.mount(document.body.appendChild(document.createElement("div")));
  assignment.value = { user_id: "u", assignment_id: "a", cell_id: "c" } as Assignment;
  await vi.waitFor(() => expect([assignment.value, document.querySelectorAll(".el-message").length]).toEqual([null, 1]));
  app.unmount();
});
