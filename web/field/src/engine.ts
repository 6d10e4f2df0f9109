// The engine that the screens stand on.
export { browserParts, openEngine } from "@shared/engine/index.ts";
