import { expect, test } from "vitest";
import { vectors } from "../vectors.ts";
import { phone } from "./kit-cell.ts";
import type { Fields, Seen, Version } from "./types.ts";

interface Step {
  pull?: { v: number; fields: Fields };
  open?: string;
  create?: Fields;
  write?: Fields;
  resolve?: Fields;
  unit?: string;
  siblings?: string[];
  seen?: string;
  showing?: Fields;
  at?: number;
}
interface Case {
  name: string;
  steps: Step[];
  shown: Fields;
  sent: { base: number | null; set: Fields; was: Fields }[];
}

const tag = (v: number): string => `${v}`.padStart(16, "0");

test.each(vectors<{ cases: Case[] }>("seen/cases.json").cases)("$name", async ({ steps, shown, sent }) => {
  const { cell, engine } = await phone();
  const forms = new Map<string, Seen>();
  for (const step of steps) {
    const form = step.seen === undefined ? null : (forms.get(step.seen) as Seen);
    const seen = form && { version: step.at ? { v: step.at, tag: tag(step.at) } : form.version, fields: step.showing ?? form.fields };
    if (step.pull) {
      cell.put("p1", step.pull.v, step.pull.fields);
      await engine.sync();
    } else if (step.open) forms.set(step.open, engine.read("p1") as Seen);
    else if (step.create) await engine.write([{ kind: "create", type: "person", id: "p1", set: step.create }]);
    else if (step.write) await engine.write([{ kind: "patch", id: "p1", set: step.write, seen }]);
    else if (step.resolve) await engine.write([{ kind: "resolve", id: "p1", unit: step.unit as string, siblings: step.siblings ?? [], set: step.resolve, seen }]);
  }
  expect(engine.read("p1")?.fields).toStrictEqual(shown);
  await engine.sync();
  const written = cell.seen.map(({ op }) => JSON.parse(op) as { base: Version | null; set: Fields; was: Fields });
  expect(written.map(({ base, set, was }) => ({ base, set, was }))).toStrictEqual(sent.map((one) => ({ ...one, base: one.base && { v: one.base, tag: tag(one.base) } })));
});
