// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { createApp, h, nextTick } from "vue";
import { get, post, Problem } from "../../api/client.ts";
import { i18n } from "../../words/index.ts";
import EditionView from "./EditionView.vue";
import type { EditionListed } from "./editions.ts";

vi.mock("vue-router", () => ({ useRoute: () => ({ query: {} }), useRouter: () => ({}) }));
vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), get: vi.fn(), post: vi.fn() }));
vi.mock("../../parts/CellMap.vue", () => ({ default: { render: () => null } }));
vi.mock("./LineageList.vue", () => ({ default: { render: () => null } }));

const listed = { edition_id: "e", layer: "base", number: 2, state: "draft", created_at: "2026-03-01T08:00:00Z", published_at: null } as EditionListed;
const overlap = { code: "overlap", severity: "error", cells: ["1", "2"], lon: null, lat: null, zh: "重叠", en: "overlap" };

/** The page of the draft, with ways to press and type what it shows. */
function open() {
  const app = createApp({ render: () => h(EditionView, { listed, renew: () => Promise.resolve() }) });
  app.use(i18n).component("RouterLink", { render: () => null });
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  const button = (words: string) => [...page.querySelectorAll("button")].find((one) => one.textContent === words)!;
  const type = (n: number, value: string) => {
    const field = page.querySelectorAll<HTMLInputElement>(".limits input")[n]!;
    field.value = value;
    field.dispatchEvent(new Event("input"));
  };
  return { app, page, button, type };
}

test("a draft that was repaired is not published before what it moves now could be read", async () => {
  i18n.global.locale.value = "zh-CN";
  const runs: (() => void)[] = [];
  vi.mocked(get).mockImplementation((path) => {
    const told = String(path).split("/").at(-1)!;
    if (told.startsWith("dry-run")) return new Promise((give) => runs.push(() => give({ moves: { count: 0, types: {}, pairs: [] } })));
    if (told === "balance") return Promise.resolve({ cells: [] });
    if (told === "repairs") return Promise.resolve({ repairs: [{ repair_id: "r", kind: "gap", cells: [], zh: "补上", en: "fill", changes: [] }] });
    return Promise.resolve({ edition: listed, certificate: { ok: true, problems: [], counts: { cells: 1, errors: 0, warnings: 0 } }, cells: { type: "FeatureCollection", features: [] } });
  });
  const { app, page, button } = open();
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
  const { app, page, button, type } = open();
  await vi.waitFor(() => expect(page.textContent).toContain("在这个限度内没有可以自动修复的"));
  type(0, "6");
  type(1, "2");
  page.querySelector("form")!.dispatchEvent(new Event("submit"));
  await vi.waitFor(() => expect(page.textContent).toContain("单格至多变动 5,278 平方米"));
  type(0, "9"); // typed, and not asked with
  type(1, "");
  button("修复").click();
  await vi.waitFor(() => expect(asked.length).toBe(3));
  const wide = "repairs?clean_width_m=6&share_at_most=0.02";
  expect(asked).toEqual(["repairs", wide, wide]);
  expect(vi.mocked(post).mock.calls[0]![0]).toMatch(/\/repairs\?clean_width_m=6&share_at_most=0.02$/);
  page.querySelector("form")!.requestSubmit(); // an empty field asks nothing
  await nextTick();
  expect(asked.length).toBe(3);
  app.unmount();
});

test("repairs that could not be read are told as that, not as none, and asked for again from there", async () => {
  i18n.global.locale.value = "zh-CN";
  let broken = true;
  vi.mocked(get).mockImplementation((path) => {
    const told = String(path).split("/").at(-1)!;
    if (told === "balance") return Promise.resolve({ cells: [] });
    if (told.startsWith("repairs")) return broken ? Promise.reject(new Problem(500, "internal-error", "broken", [], {})) : Promise.resolve({ repairs: [] });
    return Promise.resolve({ edition: listed, certificate: { ok: false, problems: [overlap], counts: { cells: 2, errors: 1, warnings: 0 } }, cells: { type: "FeatureCollection", features: [] } });
  });
  const { app, page, button, type } = open();
  const none = "在这个限度内没有可以自动修复的";
  const told = () => page.querySelector("[role=alert]");
  await vi.waitFor(() => expect(told()).not.toBeNull());
  expect(page.textContent).not.toContain(none);
  broken = false;
  button("重试").click();
  await vi.waitFor(() => expect(page.textContent).toContain(none));
  expect(told()).toBeNull();
  broken = true;
  type(0, "6");
  page.querySelector("form")!.requestSubmit();
  await vi.waitFor(() => expect(told()).not.toBeNull());
  expect(page.textContent).not.toContain(none);
  app.unmount();
});

test("a draft whose repairs are asked for anew while the page still loads is published all the same", async () => {
  i18n.global.locale.value = "zh-CN";
  let told!: (balance: object) => void;
  const asked: string[] = [];
  vi.mocked(get).mockImplementation((path) => {
    const last = String(path).split("/").at(-1)!;
    if (last === "balance") return new Promise((give) => (told = give));
    if (last.startsWith("dry-run")) return Promise.resolve({ moves: { count: 0, types: {}, pairs: [] } });
    if (last.startsWith("repairs")) return asked.push(last), Promise.resolve({ repairs: [] });
    const sliver = { ...overlap, code: "boundary_sliver", severity: "warning" };
    return Promise.resolve({ edition: listed, certificate: { ok: true, problems: [sliver], counts: { cells: 2, errors: 0, warnings: 1 } }, cells: { type: "FeatureCollection", features: [] } });
  });
  const { app, page, button } = open();
  await vi.waitFor(() => expect(page.querySelector("form")).not.toBeNull());
  page.querySelector("form")!.requestSubmit();
  await vi.waitFor(() => expect(asked.length).toBe(1));
  told({ cells: [] });
  await vi.waitFor(() => expect(button("发布这一版").disabled).toBe(false));
  app.unmount();
});

test("every cell that a repair changes is listed with what it wins or loses, in both languages", async () => {
  const feature = (n: number) => ({ type: "Feature", id: `c${n}`, properties: { code: `00${n}`, name: `第${n}网格` }, geometry: null });
  const changes = [[1, -5278.25], [2, 31.5], [3, 0]].map(([n, area]) => ({ cell_id: `c${n}`, cell: `00${n}`, new_code: n === 3 ? "009" : null, area_change_m2: area, after: null }));
  vi.mocked(get).mockImplementation((path) => {
    const told = String(path).split("/").at(-1)!;
    if (told === "balance") return Promise.resolve({ cells: [] });
    if (told.startsWith("repairs")) return Promise.resolve({ repairs: [{ repair_id: "wide", kind: "clean_coverage", cells: [], zh: "消除", en: "close", largest_area_change_m2: 5278.25, changes }] });
    return Promise.resolve({ edition: listed, certificate: { ok: false, problems: [overlap], counts: { cells: 3, errors: 1, warnings: 0 } }, cells: { type: "FeatureCollection", features: [1, 2, 3].map(feature) } });
  });
  for (const [locale, summary, heading] of [["zh-CN", "逐格核对（3 格）", "面积增减（平方米）"], ["en", "Cell by cell (3)", "Ground won or lost (m²)"]] as const) {
    i18n.global.locale.value = locale;
    const { app, page } = open();
    await vi.waitFor(() => expect(page.querySelector("details summary")?.textContent).toBe(summary));
    expect(page.querySelector("details thead")!.textContent).toContain(heading);
    const rows = [...page.querySelectorAll("details tbody tr")].map((row) => [...row.querySelectorAll("td")].map((one) => one.textContent));
    expect(rows).toEqual([["001 第1网格", "-5,278.25"], ["002 第2网格", "+31.5"], ["003 → 009 第3网格", "0"]]);
    app.unmount();
  }
});
