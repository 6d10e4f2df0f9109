// Vitest's own expectations, and as much of its runner as the tests of shared/ ask for.

import "./worker.ts";

interface Test {
  file: string;
  name: string;
  run: () => unknown;
}
type Run = (...given: never[]) => unknown;

export { expect, vi } from "../../node_modules/vitest/dist/index.js";

const tests: Test[] = [];
const before = new Map<string, (() => unknown)[]>();
let file = "";

/** Tests that are named from now on stand in this file. */
export const inFile = (name: string): void => void (file = name);
export const beforeAll = (run: () => unknown): void => void before.set(file, [...(before.get(file) ?? []), run]);

export function test(name: string, run: () => unknown): void {
  tests.push({ file, name, run });
}

/** What stands in it is named by it too. */
export function describe(name: string, run: () => void): void {
  const from = tests.length;
  run();
  for (const one of tests.slice(from)) one.name = `${name} > ${one.name}`;
}

test.each = (rows: readonly unknown[]) => (name: string, run: Run): void => {
  for (const row of rows) {
    const given = (Array.isArray(row) ? row : [row]) as never[];
    test(name.replace(/%[sij]/g, () => String(given[0])), () => run(...given));
  }
};

/** Runs everything, one after the other: how many passed by file, and what each of the others said. */
export async function runAll(): Promise<{ passed: Record<string, number>; failed: string[] }> {
  const passed: Record<string, number> = {};
  const failed: string[] = [];
  for (const one of tests) {
    try {
      for (const run of before.get(one.file) ?? []) await run();
      before.delete(one.file);
      await one.run();
      passed[one.file] = (passed[one.file] ?? 0) + 1;
    } catch (error) {
      failed.push(`${one.file} > ${one.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  return { passed, failed };
}
