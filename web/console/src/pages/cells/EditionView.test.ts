// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp, h } from "vue";
import { get, post } from "../../api/client.ts";
import { i18n } from "../../words/index.ts";
import EditionView from "./EditionView.vue";
import type { EditionListed } from "./editions.ts";

vi.mock("vue-router", () => ({ useRoute: () => ({ query: {} }), useRouter: () => ({}) }));
vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), get: vi.fn(), post: vi.fn() }));
vi.mock("../../parts/CellMap.vue", () => ({ default: { render: () => null } }));
vi.mock("./LineageList.vue", () => ({ default: { render: () => null } }));

test("a draft that was repaired is not published before what it moves now could be read", async () => {
  i18n.global.locale.value = "zh-CN";
  const listed = { edition_id: "e", layer: "base", number: 2, state: "draft", created_at: "2026-03-01T08:00:00Z", published_at: null } as EditionListed;
  const runs: (() => void)[] = [];
  vi.mocked(get).mockImplementation((path) => {
    const told = String(path).split("/").at(-1)!;
    if (told.startsWith("dry-run")) return new Promise((give) => runs.push(() => give({ moves: { count: 0, types: {}, pairs: [] } })));
    if (told === "balance") return Promise.resolve({ cells: [] });
    if (told === "repairs") return Promise.resolve({ repairs: [{ repair_id: "r", kind: "gap", cells: [], zh: "补上", en: "fill", changes: [] }] });
    return Promise.resolve({ edition: listed, certificate: { ok: true, problems: [], counts: { cells: 1, errors: 0, warnings: 0 } }, cells: { type: "FeatureCollection", features: [] } });
  });
  const app = createApp({ render: () => h(EditionView, { listed, renew: () => Promise.resolve() }) });
  app.use(i18n).component("RouterLink", { render: () => null });
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  const button = (words: string) => [...page.querySelectorAll("button")].find((one) => one.textContent === words)!;
  await vi.waitFor(() => expect(runs.length).toBe(1));
  runs[0]!();
  await vi.waitFor(() => expect(button("发布这一版").disabled).toBe(false));
  vi.mocked(post).mockResolvedValueOnce({});
  await vi.waitFor(() => expect(button("修复")).toBeDefined());
  let told!: (whole: object) => void;
  const answer = vi.mocked(get).getMockImplementation()!;
  vi.mocked(get).mockImplementation((path, ...rest) => (String(path).endsWith("/e/balance") ? new Promise((give) => (told = give)) : answer(path, ...rest)));
  button("修复").click();
  await vi.waitFor(() => expect(told).toBeDefined());
  expect(page.textContent).not.toContain("不会移动任何记录");
  told({ cells: [] });
  await vi.waitFor(() => expect(runs.length).toBe(2));
  expect(button("发布这一版").disabled).toBe(true);
  runs[1]!();
  await vi.waitFor(() => expect(button("发布这一版").disabled).toBe(false));
  app.unmount();
});

test("how far a repair may go is asked beside it, and it is made with what it was offered with", async () => {
  i18n.global.locale.value = "zh-CN";
  const listed = { edition_id: "e", layer: "base", number: 2, state: "draft", created_at: "2026-03-01T08:00:00Z", published_at: null } as EditionListed;
  const overlap = { code: "overlap", severity: "error", cells: ["1", "2"], lon: null, lat: null, zh: "重叠", en: "overlap" };
  const asked: string[] = [];
  vi.mocked(get).mockImplementation((path) => {
    const told = String(path).split("/").at(-1)!;
    if (told === "balance") return Promise.resolve({ cells: [] });
    if (told.startsWith("repairs")) {
      asked.push(told);
      return Promise.resolve({ repairs: told.includes("clean_width_m=6") ? [{ repair_id: "wide", kind: "clean_coverage", cells: [], zh: "消除", en: "close", largest_area_change_m2: 5278, changes: [] }] : [] });
    }
    return Promise.resolve({ edition: listed, certificate: { ok: false, problems: [overlap], counts: { cells: 2, errors: 1, warnings: 0 } }, cells: { type: "FeatureCollection", features: [] } });
  });
  vi.mocked(post).mockReset().mockResolvedValue({});
  const app = createApp({ render: () => h(EditionView, { listed, renew: () => Promise.resolve() }) });
  app.use(i18n).component("RouterLink", { render: () => null });
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  await vi.waitFor(() => expect(page.textContent).toContain("在这个限度内没有可以自动修复的"));
  const [width, percent] = [...page.querySelectorAll<HTMLInputElement>(".limits input")];
  for (const [field, value] of [[width!, "6"], [percent!, "2"]] as const) {
    field.value = value;
    field.dispatchEvent(new Event("input"));
  }
  page.querySelector("form")!.dispatchEvent(new Event("submit"));
  await vi.waitFor(() => expect(page.textContent).toContain("单格至多变动 5,278 平方米"));
  width!.value = "9"; // typed, and not asked with
  width!.dispatchEvent(new Event("input"));
  [...page.querySelectorAll("button")].find((one) => one.textContent === "修复")!.click();
  await vi.waitFor(() => expect(post).toHaveBeenCalled());
  expect(asked.slice(0, 2)).toEqual(["repairs", "repairs?clean_width_m=6&share_at_most=0.02"]);
  expect(vi.mocked(post).mock.calls[0]![0]).toMatch(/\/repairs\?clean_width_m=6&share_at_most=0.02$/);
  app.unmount();
});
