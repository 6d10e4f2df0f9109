// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { send } from "../../api/client.ts";
import { useRoster } from "./useRoster.ts";

vi.mock(import("../../api/client.ts"), async (original) => ({ ...(await original()), send: vi.fn() }));

test("a page that did not come takes away none of the rows before it, and is asked for again from where they end", async () => {
  const page = (ids: string[], next: string | null) => Response.json({ columns: [], rows: ids.map((id) => ({ id, doubt: [] })), in_doubt: 0, count: 3, as_of: "", next });
  const answers = [() => page(["a", "b"], "here"), () => Promise.reject(new Error("no line")), () => page(["c"], null)];
  vi.mocked(send).mockImplementation(async () => answers.shift()!());
  const list = useRoster();
  await list.load({ roster: "dwellings", cell: null, filters: [], sort: [], day: null });
  await list.next();
  expect([list.rows.value.map((row) => row.id), list.problem.value, list.broken.value, list.more.value]).toEqual([["a", "b"], "", "no line", true]);
  await list.next();
  expect([list.rows.value.map((row) => row.id), list.broken.value, list.more.value]).toEqual([["a", "b", "c"], "", false]);
  expect(vi.mocked(send).mock.calls.map(([, path]) => new URLSearchParams(path.split("?")[1]).get("next"))).toEqual([null, "here", "here"]);
});

test("columns of the list before are not offered for the one that is still coming: choosing among them kept them for the wrong list", async () => {
  const column = (name: string) => ({ name, type: "text", label: { zh: name, en: name }, privacy: "public" });
  let come: (answer: Response) => void = () => undefined;
  vi.mocked(send).mockImplementation((_, path) => (path.includes("dwellings") ? new Promise((done) => (come = done)) : Promise.resolve(Response.json({ columns: [column("head_name")], rows: [], in_doubt: 0, count: 0, as_of: "", next: null }))));
  const list = useRoster();
  const wanted = { cell: null, filters: [], sort: [], day: null };
  await list.load({ ...wanted, roster: "household_book" });
  const offered = () => list.columns.value.map((one) => one.name);
  expect(offered()).toEqual(["head_name"]);
  await list.load({ ...wanted, roster: "household_book", sort: ["head_name"] });
  const coming = list.load({ ...wanted, roster: "dwellings" });
  expect(offered()).toEqual([]);
  come(Response.json({ columns: [column("area_m2")], rows: [], in_doubt: 0, count: 0, as_of: "", next: null }));
  await coming;
  expect(offered()).toEqual(["area_m2"]);
});
