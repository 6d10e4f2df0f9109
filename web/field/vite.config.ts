import { VitePWA } from "vite-plugin-pwa";
import { defineConfig } from "vite";
import { appVersion, screen } from "../vite.common.ts";

const base = screen("field", "/field/");

export default defineConfig({
  ...base,
  define: {
    __APP_VERSION__: JSON.stringify(appVersion()),
    // What vue and vue-i18n leave out of the built program.
    __VUE_OPTIONS_API__: true,
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __VUE_I18N_LEGACY_API__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
    // The server forbids eval, so messages are interpreted, not compiled to functions.
    __INTLIFY_JIT_COMPILATION__: true,
  },
  plugins: [
    ...(base.plugins ?? []),
    VitePWA({
      scope: "/field/",
      base: "/field/",
      registerType: "prompt",
      injectRegister: null,
      manifestFilename: "manifest.json",
      manifest: {
        id: "/field/",
        name: "底数 · 网格员",
        short_name: "底数",
        description: "网格员采集应用：没有信号也能用",
        lang: "zh-CN",
        start_url: "/field/",
        scope: "/field/",
        display: "standalone",
        orientation: "portrait",
        background_color: "#0b5a48",
        theme_color: "#0b5a48",
        icons: [
          { src: "icons/icon-192.png", sizes: "192x192", type: "image/png" },
          { src: "icons/icon-512.png", sizes: "512x512", type: "image/png" },
          { src: "icons/maskable-512.png", sizes: "512x512", type: "image/png", purpose: "maskable" },
        ],
      },
      workbox: {
        // Everything of the app, the map too: nothing is fetched when there is no signal.
        globPatterns: ["**/*.{js,css,html,png,svg,json,woff2}"],
        navigateFallback: "/field/index.html",
        navigateFallbackAllowlist: [/^\/field\/?(?:[?#].*)?$/, /^\/field\/index\.html/],
        cleanupOutdatedCaches: true,
        // A waiting version takes over only when the person says so.
        skipWaiting: false,
        clientsClaim: true,
        inlineWorkboxRuntime: true,
        importScripts: ["/field/send.js"],
        sourcemap: false,
      },
    }),
  ],
});
