// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp, h, type Component } from "vue";
import { get } from "../../api/client.ts";
import { i18n } from "../../words/index.ts";
import HandoversPage from "./HandoversPage.vue";
import ImportList from "./ImportList.vue";
import TemplateRuns from "./TemplateRuns.vue";

vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), get: vi.fn() }));
vi.mock("./FileTabs.vue", () => ({ default: { render: () => null } })); // asks the router where it stands

test.each<{ what: string; page: Component; empty: object }>([
  { what: "hand-overs", page: HandoversPage, empty: { systems: [], rosters: [], saved_rosters: [] } },
  { what: "imports", page: ImportList, empty: { imports: [] } },
  { what: "filled tables", page: TemplateRuns, empty: { runs: [] } },
])("a list that is still coming is not said to be empty: $what", async ({ page, empty }) => {
  i18n.global.locale.value = "zh-CN";
  const come: (() => void)[] = [];
  vi.mocked(get).mockImplementation(() => new Promise((give) => come.push(() => give(empty as never))));
  const app = createApp({ render: () => h(page, { opened: null }) });
  app.use(i18n).component("RouterLink", { render: () => null });
  const here = document.body.appendChild(document.createElement("div"));
  app.mount(here);
  const words = here.querySelector<HTMLElement>("p.empty")!;
  expect(words.style.display).toBe("none");
  come[0]!();
  await vi.waitFor(() => expect(words.style.display).toBe(""));
  app.unmount();
});
