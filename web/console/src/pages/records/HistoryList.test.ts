// @vitest-environment jsdom
import { ElMessageBox } from "element-plus";
import { expect, test, vi } from "vitest";
import { createApp, h, type SetupContext } from "vue";
import { get, post } from "../../api/client.ts";
import { i18n } from "../../words/index.ts";
import HistoryList from "./HistoryList.vue";

vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), get: vi.fn(), post: vi.fn() }));

const step = (v: number, kind: string, command: string | null, op_id = `o${v}`) => ({ v, tag: `t${v}`, op_id, kind, command, at: "2026-03-01T08:00:00Z", claimed_at: null, by: { name: "某某" }, source: "console", life: null, moves: [], changes: [], set_aside: [] });
const merge = (op_id: string, merged: string, title: string, undo: boolean) => ({ op_id, survivor: "stays", merged, title, at: "2026-03-01T08:00:00Z", by: { name: "某某" }, undo });
const told = (rows: object[], merges: object[]) => vi.mocked(get).mockResolvedValueOnce({ rows, merges, next: null });

function open(writable: boolean, changed = () => {}) {
  i18n.global.locale.value = "zh-CN";
  const app = createApp({ render: () => h(HistoryList, { type: "person", id: "stays", writable, onChanged: changed }) });
  app.use(i18n).component("RouterLink", (props: { to: string }, { slots }: Pick<SetupContext, "slots">) => h("a", { href: props.to }, slots.default?.()));
  const page = document.body.appendChild(document.createElement("div"));
  app.mount(page);
  return { app, page, buttons: () => [...page.querySelectorAll<HTMLButtonElement>("button")].filter((one) => one.textContent === "撤回合并") };
}

test("a command is called by its name, and what followed from another record says so", async () => {
  told([step(4, "command", "change_head"), step(3, "made", null), step(2, "made", "merge_persons"), step(1, "command", null)], []);
  const { app, page } = open(true);
  await vi.waitFor(() => expect(page.querySelectorAll("ol > li").length).toBe(4));
  expect([...page.querySelectorAll("ol b")].map((one) => one.textContent)).toEqual(["变更户主", "随其他档案变动", "合并两条人员记录", "办理"]);
  app.unmount();
});

test("the last merge is taken back from the history after a question, also where it wrote no step; afterwards it is gone, and the page is read anew", async () => {
  const both = [merge("m2", "second", "李四", true), merge("m1", "first", "王五", false)];
  told([step(2, "command", "merge_persons", "m2"), step(1, "create", null)], both);
  const changed = vi.fn();
  const { app, page, buttons } = open(true, changed);
  await vi.waitFor(() => expect(buttons().length).toBe(1));
  expect([...page.querySelectorAll("a")].map((one) => one.getAttribute("href"))).toEqual(["/records/person/first", "/records/person/second"]);
  expect(page.querySelector("ul.merges")!.textContent).toContain("王五");
  vi.spyOn(ElMessageBox, "confirm").mockRejectedValueOnce("cancel").mockResolvedValue("confirm" as never);
  buttons()[0]!.click();
  await vi.waitFor(() => expect(ElMessageBox.confirm).toHaveBeenCalledTimes(1));
  expect(post).not.toHaveBeenCalled();
  vi.mocked(post).mockResolvedValueOnce({ results: [{ now: { outcome: "applied" }, errors: [] }] });
  told([step(3, "command", "undo"), step(2, "command", "merge_persons", "m2"), step(1, "create", null)], [merge("m1", "first", "王五", true)]);
  buttons()[0]!.click();
  await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(1));
  expect(vi.mocked(post).mock.calls[0]![1]).toMatchObject({ ops: [{ kind: "command", name: "undo", type: "person", id: "stays", arguments: { command: "m2" } }] });
  await vi.waitFor(() => expect(page.querySelectorAll("ol > li").length).toBe(3));
  expect([...page.querySelectorAll("a")].map((one) => one.getAttribute("href"))).toEqual(["/records/person/first"]);
  app.unmount();
});

test("who may not write is offered no way back", async () => {
  told([step(1, "create", null)], [merge("m1", "first", "王五", true)]);
  const { app, page, buttons } = open(false);
  await vi.waitFor(() => expect(page.textContent).toContain("王五"));
  expect(buttons()).toEqual([]);
  app.unmount();
});

test("more of a history is read once, however often it is asked for while it comes", async () => {
  vi.mocked(get).mockReset();
  vi.mocked(get).mockResolvedValueOnce({ rows: [step(3, "patch", null)], merges: [], next: "older" });
  let give!: (told: object) => void;
  vi.mocked(get).mockReturnValueOnce(new Promise((go) => (give = go)));
  const { app, page } = open(false);
  await vi.waitFor(() => expect(page.querySelector("button.chip")).not.toBeNull());
  for (let taps = 0; taps < 2; taps += 1) page.querySelector<HTMLButtonElement>("button.chip")!.click();
  give({ rows: [step(2, "patch", null), step(1, "patch", null)], merges: [], next: null });
  await vi.waitFor(() => expect(page.querySelectorAll("ol > li").length).toBe(3));
  expect(get).toHaveBeenCalledTimes(2);
  app.unmount();
});
