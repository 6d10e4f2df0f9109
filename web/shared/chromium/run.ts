// Every test of shared/ in one file, for a page of a real browser: `gather()` or `gatherLive()`, then `DishuTests.runAll()`.

import { inFile } from "./vitest.ts";

export { readFileSync } from "./files.ts";
export { runAll } from "./vitest.ts";

const files = import.meta.glob(["../{engine,forms,geo,pinyin}/*.test.ts"]);

/** Names the tests against a server instead; `scene` as tests/test_web_engine.py tells it. */
export async function gatherLive(scene: string): Promise<void> {
  process.env["DISHU_LIVE"] = scene;
  inFile("engine/engine.live.ts");
  await import("../engine/engine.live.ts");
}

/** Names every test. */
export async function gather(): Promise<void> {
  for (const [name, file] of Object.entries(files)) {
    inFile(name.replace("../", ""));
    await file();
  }
}
