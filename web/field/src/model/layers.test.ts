import { expect, test } from "vitest";
import { createMemoryHistory, createRouter } from "vue-router";
import { backCloses, followBack, layer } from "./layers.ts";

const Screen = { render: () => null };

async function app() {
  const history = createMemoryHistory();
  const router = createRouter({ history, routes: ["/", "/house", "/house/move"].map((path) => ({ path, component: Screen })) });
  followBack(router, history);
  for (const path of ["/", "/house", "/house/move"]) await router.push(path);
  const settled = () => new Promise((resolve) => setTimeout(resolve, 20));
  return {
    at: () => router.currentRoute.value.path,
    go: (path: string) => router.push(path),
    async back() {
      router.back();
      await settled();
    },
  };
}

test("Back closes what stands before the screen, the topmost first, and then leaves the screen", async () => {
  const { at, back } = await app();
  const closed: string[] = [];
  const open = (name: string): void => {
    const gone = layer(() => {
      closed.push(name);
      gone();
    });
  };
  open("sheet");
  open("question");
  await back();
  expect([at(), closed]).toStrictEqual(["/house/move", ["question"]]);
  await back();
  expect([at(), closed]).toStrictEqual(["/house/move", ["question", "sheet"]]);
  await back();
  expect(at()).toBe("/house");
  await back();
  expect(at(), "nothing was skipped on the way").toBe("/");
});

test("a link in a sheet goes where it leads, and nothing of the screen that was left stands before the next one", async () => {
  const { at, go } = await app();
  let isOpen = true;
  const gone = layer(() => {
    isOpen = false;
    gone();
  });
  expect([backCloses(), isOpen]).toStrictEqual([false, true]);
  await go("/house");
  expect([at(), isOpen]).toStrictEqual(["/house", false]);
});
