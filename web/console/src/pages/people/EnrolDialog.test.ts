// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp, h, nextTick, ref } from "vue";
import { post } from "../../api/client.ts";
import type { Account } from "../../api/types.ts";
import { i18n } from "../../words/index.ts";
import EnrolDialog from "./EnrolDialog.vue";

vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), post: vi.fn() }));

test("a code that comes late never stands under the name of somebody else", async () => {
  const account = ref<Account | null>(null);
  const answers: ((code: string) => void)[] = [];
  vi.mocked(post).mockImplementation(() => new Promise((give) => answers.push((code) => give({ code, expires_at: "2026-03-02T00:00:00Z" }))));
  const app = createApp({ render: () => h(EnrolDialog, { account: account.value }) });
  app.use(i18n);
  app.mount(document.body.appendChild(document.createElement("div")));
  for (const name of ["甲", "乙"]) {
    account.value = { user_id: name, name, community_id: "c" } as Account;
    await nextTick();
  }
  answers[1]!("of-the-second");
  await vi.waitFor(() => expect(document.querySelector("[data-test=enrolment-code]")?.textContent).toBe("of-the-second"));
  answers[0]!("of-the-first");
  await new Promise((go) => setTimeout(go));
  expect(document.querySelector("[data-test=enrolment-code]")?.textContent).toBe("of-the-second");
  app.unmount();
});
