import type { Words } from "./index.ts";

export const inbox = {} satisfies Words;
