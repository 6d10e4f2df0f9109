// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp, nextTick, ref } from "vue";
import { get } from "../../api/client.ts";
import { useQueue } from "./useQueue.ts";

vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), get: vi.fn() }));

test("while the list of another cell comes, nothing of the former one stands under its name", async () => {
  const cell = ref("all");
  let queue!: ReturnType<typeof useQueue<string>>;
  const app = createApp({ setup: () => ((queue = useQueue<string>("conflicts", 20, () => ({ cell: cell.value }))), () => null) });
  vi.mocked(get).mockResolvedValueOnce({ as_of: "now", rows: ["of all"], next: "more" });
  app.mount(document.createElement("div"));
  await vi.waitFor(() => expect(queue.rows.value).toEqual(["of all"]));
  let give!: (told: object) => void;
  vi.mocked(get).mockReturnValueOnce(new Promise((go) => (give = go)));
  cell.value = "7";
  await nextTick();
  expect([queue.rows.value, queue.next.value, queue.asked.value]).toEqual([[], null, false]);
  give({ as_of: "now", rows: ["of the seventh"], next: null });
  await vi.waitFor(() => expect(queue.rows.value).toEqual(["of the seventh"]));
  app.unmount();
});
