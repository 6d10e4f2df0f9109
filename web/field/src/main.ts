import "./styles/vant.ts";
import "./styles/base.css";
import { numeric } from "@shared/engine/numeric.ts";
import { browserParts, openEngine } from "./engine.ts";
import { closeToast, setToastDefaultOptions } from "vant/es/toast";
import { createApp, watch } from "vue";
import App from "./App.vue";
import { i18n, language, speak } from "./i18n.ts";
import { router } from "./router.ts";
import "./install.ts";
import { keepNow } from "./model/glance.ts";
import { dropSecondTaps } from "./model/second-tap.ts";
import { followClock } from "./model/today.ts";
import { lockWhenIdle } from "./locking.ts";
import { attach, engine, state, syncing } from "./session.ts";
import { closeQuestion } from "./parts/asking.ts";
import { keepProgram } from "./updates.ts";

/** A short message asks for nothing: no dialog, whatever it is drawn with. */
function messagesAreNoDialogs(): void {
  new MutationObserver(() => document.querySelector(".van-toast[role=dialog]")?.setAttribute("role", "status")).observe(document.body, { childList: true });
}

/** Which program this is: `vite.config.ts`. */
declare const __APP_VERSION__: string;

async function start(): Promise<void> {
  speak(language());
  setToastDefaultOptions({ position: "bottom", className: "message" });
  messagesAreNoDialogs();
  dropSecondTaps(document);
  const opened = await openEngine(browserParts("/", { appVersion: __APP_VERSION__ }));
  await new Promise((resolve) => setTimeout(resolve)); // a finger comes first
  attach(opened);
  createApp(App).use(i18n).use(router).mount("#app");
  if (engine().state() === "locked") window.setTimeout(numeric, 300); // while the PIN is typed: the first screen will want it
  watch(state, (_, before) => {
    if (before !== "ready") return;
    closeQuestion(); // both hang beside the app, and would stand over the lock
    closeToast();
  });
  followClock();
  lockWhenIdle({ lock: () => engine().lock(), busy: () => syncing.value });
  void keepProgram();
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && keepNow());
}

void start();
