import type { Words } from "./index.ts";

export const files = {} satisfies Words;
