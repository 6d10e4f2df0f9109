// The client engine of the field app: `const engine = await openEngine(browserParts("/"))`.
export * from "./types.ts";
export type * from "./reference-types.ts";
export type * from "./search-types.ts";
export * from "./parts-types.ts";
export { LEFT_DAYS, ownWords, unfinished, type KeptDraft } from "./drafts.ts";
export type { Waiting } from "./waiting.ts";
export { openEngine } from "./engine.ts";
export { BASEMAP_CACHE, browserParts } from "./browser.ts";
export { indexedDbStore } from "./store-idb.ts";
export { MemoryDisk, memoryStore } from "./store-memory.ts";
export { httpTransport } from "./transport.ts";
