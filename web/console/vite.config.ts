import { defineConfig } from "vite";
import { screen } from "../vite.common.ts";

export default defineConfig({
  ...screen("console", "/console/"),
  // Messages are compiled without eval (the page's policy forbids it); the old API of the library stays out.
  define: {
    __VUE_OPTIONS_API__: "true",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
    __VUE_I18N_FULL_INSTALL__: "false",
    __VUE_I18N_LEGACY_API__: "false",
    __INTLIFY_JIT_COMPILATION__: "true",
    __INTLIFY_PROD_DEVTOOLS__: "false",
  },
});
