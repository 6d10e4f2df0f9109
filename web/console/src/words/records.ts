import type { Words } from "./index.ts";

export const records = {} satisfies Words;
