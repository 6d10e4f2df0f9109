// The same engine against a served program: tests/test_web_engine.py starts both. Not part of `vitest run`.
import { fileURLToPath, URL } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "@shared": fileURLToPath(new URL("./shared", import.meta.url)) } },
  test: { include: ["shared/**/*.live.ts"], environment: "node", testTimeout: 120_000 },
});
