import type { Words } from "./index.ts";

export const cells = {} satisfies Words;
