import "fake-indexeddb/auto";
import { forceCloseDatabase } from "fake-indexeddb";
import { expect, test, vi } from "vitest";
import { openEngine } from "./engine.ts";
import { enrolled, scripted } from "./kit.ts";
import { Fenced, type BlockStore } from "./parts-types.ts";
import { indexedDbStore } from "./store-idb.ts";
import { webLocks } from "./turn.ts";
import { MemoryDisk, memoryStore } from "./store-memory.ts";

const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => new Uint8Array(values);

const MAKERS: [string, () => () => BlockStore][] = [
  ["memory", () => {
    const disk = new MemoryDisk();
    return () => memoryStore(disk);
  }],
  ["IndexedDB", () => {
    const name = `test-${Math.random()}`;
    return () => indexedDbStore(name);
  }],
];

test.each(MAKERS)("blocks are kept all or none, in the order of their names: %s", async (_, fresh) => {
  const open = fresh();
  const store = open();
  expect((await store.open()).about).toBeNull();
  await store.commit(new Map([["e/2", bytes(2)], ["e/1", bytes(1)], ["l/0", bytes(9)]]), "about");
  expect(await store.readAll("e/")).toStrictEqual([["e/1", bytes(1)], ["e/2", bytes(2)]]);
  await store.commit(new Map([["e/1", null]]), null);
  const again = open();
  expect((await again.open()).about).toBe("about");
  expect(await again.readAll("e/")).toStrictEqual([["e/2", bytes(2)]]);
  expect(await again.read("l/0")).toStrictEqual(bytes(9));
  expect(await again.read("l/1")).toBeNull();
  await again.destroy();
  expect(await again.readAll("")).toStrictEqual([]);
  expect((await open().open()).about).toBeNull();
});

test.each(MAKERS)("whoever opens later has the storage; the earlier one changes nothing any more: %s", async (_, fresh) => {
  const open = fresh();
  const [first, second] = [open(), open()];
  await first.open();
  await first.commit(new Map([["e/0", bytes(1)]]), null);
  await second.open();
  await expect(first.commit(new Map([["e/0", bytes(2)]]), "x")).rejects.toBeInstanceOf(Fenced);
  await expect(first.destroy()).rejects.toBeInstanceOf(Fenced);
  expect(await second.read("e/0")).toStrictEqual(bytes(1));
});

test("an engine on IndexedDB goes on where it was", async () => {
  const parts = { store: indexedDbStore("engine"), transport: scripted(), pinRounds: 10 };
  const engine = await enrolled(parts);
  const { ids } = await engine.write([{ kind: "create", type: "person", set: { name: "测试" } }]);
  engine.close();
  const again = await openEngine({ ...parts, store: indexedDbStore("engine") });
  await again.unlock("246810");
  expect(again.read(ids[0] as string)?.fields["name"]).toBe("测试");
});

test("a connection that the browser closes under the app is opened anew: nothing is lost, and the next write is kept", async () => {
  const asked = vi.spyOn(indexedDB, "open");
  const store = indexedDbStore("closed");
  await store.open();
  await store.commit(new Map([["e/1", bytes(1)]]), null);
  forceCloseDatabase((asked.mock.results[0]?.value as IDBOpenDBRequest).result as never);
  await store.commit(new Map([["e/2", bytes(2)]]), null);
  expect(await store.readAll("e/")).toStrictEqual([["e/1", bytes(1)], ["e/2", bytes(2)]]);
  expect(asked).toHaveBeenCalledTimes(2);
});

/** IndexedDB opens nothing and says why. */
const unopened = (name: string, message: string): unknown => vi.spyOn(indexedDB, "open").mockImplementation(() => {
  const asked = {} as IDBOpenDBRequest;
  queueMicrotask(() => {
    Object.assign(asked, { error: new DOMException(message, name) });
    asked.onerror?.(new Event("error"));
  });
  return asked;
});

test.each<[string, () => unknown]>([
  ["site data blocked", () => vi.spyOn(indexedDB, "open").mockImplementation(() => { throw new DOMException("denied", "SecurityError"); })],
  ["a private window that keeps nothing", () => unopened("InvalidStateError", "a mutation operation was attempted on a database that did not allow mutations")],
  ["site data blocked, as Chromium says it", () => unopened("UnknownError", "The user denied permission to access the database.")],
  ["a browser without any", () => vi.stubGlobal("indexedDB", undefined)],
])("where the browser keeps nothing, the app says which setting to change and asks for no repair: %s", async (_, refuse) => {
  refuse();
  vi.stubGlobal("navigator", { locks: { request: () => Promise.reject(new DOMException("denied", "SecurityError")) } });
  try {
    const engine = await openEngine({ store: indexedDbStore("refused"), transport: scripted(), turn: webLocks("refused") });
    expect([engine.state(), engine.problems().map((one) => one.code)]).toStrictEqual(["insecure", ["storage_refused"]]);
  } finally {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  }
});
