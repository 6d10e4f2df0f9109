// The client engine of the field app: `const engine = await openEngine(browserParts("/"))`.
export * from "./types.ts";
export type * from "./reference-types.ts";
export type * from "./search-types.ts";
export * from "./parts-types.ts";
