import { expect, test } from "vitest";
import { suspectsOf } from "./same.ts";

const hit = (id: string, title: string, field = "name", how = "part") => ({ id, title, subtitle: "1-1", matched: [{ field, how }] });

test("the same number is certain, the very name is told, and a name that only begins so is not", () => {
  const found = suspectsOf("王小明", [hit("b", "王晓明", "document_number", "exact"), hit("c", "某某", "phones", "exact")], [hit("b", "王晓明"), hit("a", "王小明"), hit("d", "王小明明")]);
  expect(found).toEqual([{ id: "b", name: "王晓明", where: "1-1", certain: true }, { id: "a", name: "王小明", where: "1-1", certain: false }]);
});
