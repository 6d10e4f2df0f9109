// For tests: the app's screens in a page without a browser, over an engine in memory.
import { phone } from "@shared/engine/kit-cell.ts";
import { vi } from "vitest";
import { createApp } from "vue";

/** An enrolled phone whose screens are drawn, and a hand on it. */
export async function drawn(prepare: (made: Awaited<ReturnType<typeof phone>>) => unknown = () => undefined) {
  Object.assign(window, { scrollTo: () => undefined, matchMedia: () => ({ matches: false, addEventListener: () => undefined }) });
  Element.prototype.scrollIntoView = () => undefined;
  window.history.scrollRestoration ??= "auto"; // the router goes by it
  const [{ default: App }, { i18n }, { router }, { attach }] = await Promise.all([import("./App.vue"), import("./i18n.ts"), import("./router.ts"), import("./session.ts")]);
  const made = await phone();
  await prepare(made);
  attach(made.engine);
  const page = document.body.appendChild(document.createElement("div"));
  const app = createApp(App).use(i18n).use(router);
  app.mount(page);
  const buttons = (words: string): HTMLElement[] => [...document.querySelectorAll<HTMLElement>("button, a")].filter((one) => one.textContent?.includes(words) || one.getAttribute("aria-label") === words);
  return {
    ...made,
    page,
    close: () => app.unmount(),
    go: async (path: string) => void (await router.push(path)),
    back: () => router.back(),
    at: (path: string | RegExp) => soon(() => void (router.currentRoute.value.fullPath.match(path) || fail(`${path}, but ${router.currentRoute.value.fullPath}`))),
    buttons,
    tap: async (words: string) => void (await soon(() => (buttons(words)[0] ?? fail(words)))).click(),
    says: (words: string) => soon(() => void (document.body.textContent?.includes(words) || fail(words))),
    type: async (name: string, value: string) => {
      const input = await soon(() => document.querySelector<HTMLInputElement>(`#f-${name}`) ?? fail(name));
      input.value = value;
      input.dispatchEvent(new Event("input"));
    },
  };
}

/** From now on every step back takes a while, as on a slow phone, one after the other. The whole of what was asked for is gone when this resolves. */
export function slowBack(): () => Promise<void> {
  const go = window.history.go.bind(window.history);
  const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));
  let line = Promise.resolve();
  vi.spyOn(window.history, "go").mockImplementation((by) => {
    line = line.then(rest).then(() => go(by)).then(rest);
  });
  return () => line;
}

/** As long as a busy machine takes. */
export const soon = <T>(check: () => T): Promise<T> => vi.waitFor(check, { timeout: 30_000 });
vi.setConfig({ testTimeout: 120_000 });
function fail(what: string): never {
  throw new Error(`not on the screen: ${what}`);
}
