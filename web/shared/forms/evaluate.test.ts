import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Tree } from "../engine/reference-types.ts";
import type { Fields, Value } from "../engine/types.ts";
import { vectors } from "../vectors.ts";
import { evaluate, holds } from "./evaluate.ts";
import { creditCodeOk, residentIdBirth, residentIdOk, residentIdSex } from "./identity.ts";

interface Case {
  name: string;
  tree: Tree;
  fields: Fields;
  today?: string;
  value?: Value;
  expected: Value;
}

test.each(vectors<{ cases: Case[] }>("expressions/values.json").cases)("an expression means the same on the phone: $name", (one) => {
  expect(evaluate(one.tree, one.fields, one.today ?? null, one.value ?? null)).toStrictEqual(one.expected);
});

test("generated expressions mean the same on the phone as on the server", () => {
  interface Generated {
    today: string;
    cases: [Tree, Fields, Value][];
  }
  const path = process.env["DISHU_WEB_EXPRESSIONS"]; // more of them, that the Python side has just made
  const { today, cases } = path ? (JSON.parse(readFileSync(path, "utf8")) as Generated) : vectors<Generated>("expressions/generated.json");
  expect(cases.length).toBeGreaterThanOrEqual(1000);
  for (const [tree, fields, expected] of cases) expect([tree, fields, evaluate(tree, fields, today)]).toStrictEqual([tree, fields, expected]);
});

test("an expression that is not there holds, and no clock is read behind the caller's back", () => {
  expect(holds(undefined, {})).toBe(true);
  expect(() => evaluate({ call: "today", args: [] }, {})).toThrow("no day was given");
});

test("identity numbers are judged as on the server", () => {
  for (const one of vectors<{ cases: { number: string; ok: boolean; birth: string | null; sex: string | null }[] }>("forms/resident_id.json").cases) {
    expect([one.number, residentIdOk(one.number), residentIdBirth(one.number), residentIdSex(one.number)]).toStrictEqual([
      one.number,
      one.ok,
      one.birth,
      one.sex,
    ]);
  }
  for (const one of vectors<{ cases: { code: string; ok: boolean }[] }>("forms/credit_code.json").cases) {
    expect([one.code, creditCodeOk(one.code)]).toStrictEqual([one.code, one.ok]);
  }
});
