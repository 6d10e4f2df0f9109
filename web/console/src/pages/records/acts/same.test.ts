// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { nextTick, ref } from "vue";
import { post } from "../../../api/client.ts";
import { suspectsOf, useSame } from "./same.ts";

vi.mock(import("../../../api/client.ts"), async (original) => ({ ...(await original()), post: vi.fn() }));

const hit = (id: string, title: string, field = "name", how = "part") => ({ id, title, subtitle: "1-1", matched: [{ field, how }] });

test("the same number is certain, the very name is told, and a name that only begins so is not", () => {
  const found = suspectsOf("王小明", [hit("b", "王晓明", "document_number", "exact"), hit("c", "某某", "phones", "exact")], [hit("b", "王晓明"), hit("a", "王小明"), hit("d", "王小明明")]);
  expect(found).toEqual([{ id: "b", name: "王晓明", where: "1-1", certain: true }, { id: "a", name: "王小明", where: "1-1", certain: false }]);
});

test("where nobody could be looked for, that is said until it can be done again", async () => {
  vi.useFakeTimers();
  const answers = [() => Promise.reject(new Error("no line")), () => Promise.resolve({ groups: [{ rows: [hit("a", "王小明")] }] })];
  vi.mocked(post).mockImplementation(() => answers.shift()!());
  const name = ref("");
  const { suspects, failed } = useSame(() => ({ name: name.value, number: "" }));
  const told = async (typed: string) => {
    name.value = typed;
    await nextTick();
    await vi.runAllTimersAsync();
    return [failed.value, suspects.value.length];
  };
  expect([await told("王小"), await told("王小明")]).toEqual([["no line", 0], ["", 1]]);
  vi.useRealTimers();
});
