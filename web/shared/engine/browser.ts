// The parts of an engine in a browser.

import { indexedDbStore } from "./store-idb.ts";
import { httpTransport } from "./transport.ts";
import { webLocks } from "./turn.ts";
import type { BlockStore, EngineParts } from "./parts-types.ts";

/** Where the basemap of the app is kept. */
export const BASEMAP_CACHE = "dishu-basemap";

/** The blocks of this phone; the customer's map goes with the records, whoever erases them: the page or its worker. */
export function phoneStore(name: string): BlockStore {
  const store = indexedDbStore(name);
  return {
    ...store,
    destroy: async (about) => {
      await store.destroy(about);
      await globalThis.caches?.delete(BASEMAP_CACHE);
    },
  };
}

/** IndexedDB, fetch and Web Locks; `server` is the address of the server, `/` for the one that the page came from. */
export function browserParts(server: string, { name = "dishu-field", appVersion = "" }: { name?: string; appVersion?: string } = {}): EngineParts {
  return {
    store: phoneStore(name),
    transport: httpTransport(server === "/" ? "" : server),
    turn: webLocks(name),
    appVersion,
    // a page that nobody sees draws nothing
    pause: () => new Promise((resolve) => (document.hidden ? resolve() : requestAnimationFrame(() => setTimeout(resolve)))),
    persist: async () => (await navigator.storage?.persisted?.()) || ((await navigator.storage?.persist?.()) ?? true),
  };
}
