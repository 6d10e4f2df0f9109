import { expect, test } from "vitest";
import { phone } from "@shared/engine/kit-cell.ts";
import type { Definition } from "@shared/engine/reference-types.ts";
import { vectors } from "@shared/vectors.ts";
import { attach, reference } from "../session.ts";
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

test("what a form works out follows every answer, is saved with them, and is nothing that one can type", async () => {
  const { engine } = await phone();
  attach(engine);
  const { definition } = vectors<{ definition: Definition }>("forms/calculations.json");
  reference.value = { ...reference.value!, forms: { ...reference.value!.forms, well: { ...definition, fields: definition.fields.map((one) => (one.name === "total" ? { ...one, label: { zh: "合计", en: "Total" } } : one)) } } };
  const names = definition.views![0]!.screens.flatMap((one) => one.fields);
  const draft = useDraft({ type: "well", record: () => null, names: () => names });
  const asked = () => draft.shown.value.map((one) => one.name);
  expect([draft.dirty.value, asked().includes("why"), asked().includes("x")]).toStrictEqual([false, false, false]);
  expect(asked().filter((name) => ["total", "half", "twice"].includes(name)), "shown where it has words of its own").toStrictEqual(["total"]);
  draft.set("a", 20);
  draft.set("b", 5);
  draft.set("total", 99);
  expect([draft.values.value["total"], asked().includes("why"), asked().includes("x")]).toStrictEqual([25, true, true]);
  draft.set("why", "干旱");
  expect(draft.changes.value).toStrictEqual({ a: 20, b: 5, why: "干旱", half: 12, total: 25, big: true, said: "干旱", twice: 40 });

  const stands = { a: 20, b: 5, half: 12, total: 25, big: true, why: "干旱", said: "干旱", twice: 40 };
  const known = useDraft({ type: "well", record: () => ({ id: "w", type: "well", fields: stands, version: null }) as never, names: () => names });
  expect(known.dirty.value, "what stands is right").toBe(false);
  known.set("b", null);
  expect(known.changes.value).toStrictEqual({ b: null, why: null, half: null, total: null, big: false, said: "nothing", twice: null });

  const dogs = { has_dog: true, count: 5, licence: 7, paid: 14, big: false, said: "nothing" };
  const chain = useDraft({ type: "well", record: () => ({ id: "d", type: "well", fields: dogs, version: null }) as never, names: () => ["has_dog", "count", "licence"] });
  chain.set("has_dog", false);
  expect(chain.shown.value.map((one) => one.name), "what ends the first of a chain ends the last").toStrictEqual(["has_dog"]);
  expect(chain.changes.value).toStrictEqual({ has_dog: false, count: null, licence: null, paid: null });
});
