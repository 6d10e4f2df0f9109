import vue from "@vitejs/plugin-vue";
import { fileURLToPath, URL } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [vue({ template: { transformAssetUrls: false } })], // pictures are the built app's
  resolve: { alias: { "@shared": fileURLToPath(new URL("./shared", import.meta.url)) } },
  // Vitest leaves one processor to who works beside it: of two, that is half.
  test: { include: ["{shared,field,console}/**/*.test.ts"], environment: "node", testTimeout: 30_000, maxWorkers: "100%" },
});
