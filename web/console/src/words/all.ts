// Every word of the console in both languages, side by side: [中文, English]. A pair cannot miss a side.
import { acts } from "./acts.ts";
import { cells } from "./cells.ts";
import { common } from "./shared.ts";
import { files } from "./files.ts";
import { imports } from "./imports.ts";
import { handovers } from "./handovers.ts";
import { inbox } from "./inbox.ts";
import { overview } from "./overview.ts";
import { people } from "./people.ts";
import { problems } from "./problems.ts";
import { records } from "./records.ts";
import { rosters } from "./rosters.ts";
import { surveys } from "./surveys.ts";
import { templates } from "./templates.ts";

export type Pair = readonly [zh: string, en: string];
export type Words = Record<string, Pair>;
export const WORDS: Record<string, Words> = { common, overview, rosters, records, inbox, cells, files, imports, people, problems, surveys, templates, handovers, acts };
