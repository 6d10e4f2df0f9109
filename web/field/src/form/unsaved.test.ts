import { expect, test, vi } from "vitest";
import { createRenderer, nextTick, ref, type App } from "vue";
import { createMemoryHistory, createRouter } from "vue-router";
import { phone } from "@shared/engine/kit-cell.ts";
import { attach } from "../session.ts";
import { useUnsaved, type Unsaved } from "./unsaved.ts";

const told = vi.hoisted(() => [] as string[]);
vi.mock("vant/es/toast", () => ({ showToast: (words: string) => void told.push(words) }));
vi.stubGlobal("document", new EventTarget());
vi.stubGlobal("window", globalThis);

/** Components without a screen. */
const node = (): object => ({});
const nothing = (): null => null;
const { createApp } = createRenderer<object, object>({
  createElement: node, createText: node, createComment: node, setText: nothing, setElementText: nothing, parentNode: nothing, nextSibling: nothing, insert: nothing, remove: nothing, patchProp: nothing,
});

async function form(text = ref<string | null>(null)) {
  const { engine, parts } = await phone();
  attach(engine);
  const open = async (): Promise<{ app: App; unsaved: Unsaved<string> }> => {
    const router = createRouter({ history: createMemoryHistory(), routes: [{ path: "/edit/:id", component: { render: () => null } }] });
    await router.push("/edit/r1");
    let unsaved: Unsaved<string> | undefined;
    const app = createApp({
      setup: () => void (unsaved = useUnsaved<string>({ title: () => "修改物资", type: "resource", about: () => ["r1"], snapshot: () => text.value })),
      render: () => null,
    }).use(router);
    app.mount({});
    return { app, unsaved: unsaved as unknown as Unsaved<string> };
  };
  return { engine, parts, text, open, draft: () => engine.draft("/edit/r1")?.content ?? null };
}

test("what is typed is kept from the first key on, and by whichever way the form is left; given up it is gone", async () => {
  const { text, open, draft, engine } = await form();
  const first = await open();
  text.value = "沙";
  await nextTick();
  expect(draft(), "the first key").toBe("沙");
  text.value = "沙袋";
  first.app.unmount();
  expect(draft(), "Back").toBe("沙袋");
  expect(told.splice(0)).toHaveLength(1);
  expect(engine.drafts()[0]).toMatchObject({ title: "修改物资", type: "resource", about: ["r1"] });
  const again = await open();
  expect(again.unsaved.found).toBe("沙袋");
  again.unsaved.done();
  again.app.unmount();
  expect([draft(), told]).toStrictEqual([null, []]);
});

test("what was written goes with the write, also when the sheet closes in the middle; what was refused stays", async () => {
  const { engine, text, open, draft } = await form();
  const { app, unsaved } = await open();
  text.value = "沙袋";
  await nextTick();
  expect(await unsaved.write(async () => false)).toBe(false);
  await expect(unsaved.write(() => engine.write([{ kind: "create", type: "resource", set: { name: 7 } }]))).rejects.toMatchObject({ code: "invalid" });
  expect(draft()).toBe("沙袋");
  const writing = unsaved.write((place) => engine.write([{ kind: "create", type: "resource", set: { name: "沙袋", kind: "supply" } }], place));
  app.unmount();
  await writing;
  expect([draft(), engine.count("resource"), told]).toStrictEqual([null, 1, []]);
});

test("a phone that locks itself keeps what it had, and the form that is gone with the lock asks nothing", async () => {
  const { engine, text, open, draft } = await form();
  const { app } = await open();
  text.value = "沙袋";
  await nextTick();
  await engine.keepDraft({ ...engine.drafts()[0]! });
  engine.lock();
  app.unmount();
  await engine.unlock("246810");
  expect(draft()).toBe("沙袋");
});

test("who goes on typing without a pause is kept all the same, and it is known when everything stands", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const { text, open, draft } = await form();
    const { app, unsaved } = await open();
    let longest = 0;
    for (let keys = 1; keys <= 60; keys++) {
      text.value = "沙".repeat(keys);
      await nextTick();
      longest = Math.max(longest, keys - String(draft() ?? "").length);
      vi.advanceTimersByTime(100); // ten keys a second
    }
    expect(longest, "keys that a kill would have lost").toBeLessThanOrEqual(5);
    text.value = "沙袋";
    await nextTick();
    expect(unsaved.isKept.value).toBe(false);
    vi.advanceTimersByTime(400);
    await vi.waitFor(() => expect(unsaved.isKept.value).toBe(true), { timeout: 20_000 });
    expect(draft()).toBe("沙袋");
    app.unmount();
  } finally {
    vi.useRealTimers();
  }
});
