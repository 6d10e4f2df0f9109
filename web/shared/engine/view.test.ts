import { expect, test } from "vitest";
import { FormRegistry } from "../forms/form.ts";
import { builtInForms, vectors } from "../vectors.ts";
import { expand } from "./commands.ts";
import type { Step } from "./kept-types.ts";
import type { Fields, RecordView, Value } from "./types.ts";
import { laidOver, lifeAfter } from "./view.ts";

const registry = new FormRegistry(builtInForms());

test("own work over a copy is shown as on the reference phone", () => {
  interface Case {
    type: string;
    fields: Fields;
    operations: Step[];
    shown: Fields;
    life: string;
  }
  const { cases } = vectors<{ cases: Case[] }>("overlay/generated.json");
  for (const one of cases) {
    expect([one, laidOver(one.fields, one.operations, registry.get(one.type))]).toStrictEqual([one, one.shown]);
    expect(lifeAfter("live", one.operations)).toBe(one.life);
  }
});

test("a command means the same changes on the phone as on the server", () => {
  interface Case {
    name: string;
    id: string;
    arguments: Record<string, Value>;
    records: Record<string, { type: string; fields: Fields }>;
    steps: Record<string, { type: string; kind: string; set: Fields }>;
  }
  const { today, cases } = vectors<{ today: string; cases: Case[] }>("commands/generated.json");
  for (const one of cases) {
    const read = (id: string): RecordView | null => (one.records[id] ? ({ id, life: "live", ...one.records[id] } as unknown as RecordView) : null);
    const membersOf = (household: string): RecordView[] =>
      Object.keys(one.records).flatMap((id) => (one.records[id]?.fields["residence_household"] === household ? [read(id) as RecordView] : []));
    const steps = expand(one.name, { id: one.id, arguments: one.arguments, today }, { read, membersOf });
    const found = Object.fromEntries(steps.map(({ id, ...step }) => [id, step]));
    expect([one.name, one.arguments, found]).toStrictEqual([one.name, one.arguments, one.steps]);
  }
});
