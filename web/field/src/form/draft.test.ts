import { expect, test } from "vitest";
import { phone } from "@shared/engine/kit-cell.ts";
import { attach } from "../session.ts";
import { useDraft, type Typed } from "./draft.ts";

test("a form that stays open shows what it wrote, and writes against what it showed, also when it is offered again later", async () => {
  const { cell, engine } = await phone();
  attach(engine);
  cell.put("r1", 1, { name: "沙袋", quantity: 10, contact_name: "甲" }, { type: "resource" });
  await engine.sync();
  const open = () => useDraft({ type: "resource", record: () => engine.read("r1"), names: () => ["name", "quantity", "contact_name"] });
  const draft = open();
  draft.set("contact_name", "丙");
  draft.set("quantity", { delta: 5 });
  const kept = JSON.parse(JSON.stringify(draft.typed())) as Typed;
  cell.put("r1", 2, { name: "沙袋", quantity: 10, contact_name: "乙" }, { type: "resource" });
  await engine.sync();
  expect(draft.seen()).toMatchObject({ version: { v: 1 }, fields: { contact_name: "甲" } });

  const again = open();
  again.putBack(kept);
  expect([again.seen()?.version?.v, again.stored.value["contact_name"], again.changes.value]).toStrictEqual([1, "甲", { contact_name: "丙", quantity: { delta: 5 } }]);
  again.reset();
  expect([again.seen()?.version?.v, again.dirty.value], "given up: what the phone has is shown").toStrictEqual([2, false]);

  const set = { ...draft.changes.value };
  await engine.write([{ kind: "patch", id: "r1", set, seen: draft.seen() }]);
  draft.settle(set);
  expect(draft.values.value).toMatchObject({ contact_name: "丙", quantity: 15 });
  expect([draft.dirty.value, draft.typed(), draft.seen()?.version?.v]).toStrictEqual([false, null, 1]);
});
