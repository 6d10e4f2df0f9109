// Every test of shared/ in one file, for a page of a real browser: `DishuTests.runAll()`.

import { inFile } from "./vitest.ts";

export { runAll } from "./vitest.ts";

const files = import.meta.glob(["../{engine,forms,geo,pinyin}/*.test.ts"]);

/** Names every test. */
export async function gather(): Promise<void> {
  for (const [name, file] of Object.entries(files)) {
    inFile(name.replace("../", ""));
    await file();
  }
}
