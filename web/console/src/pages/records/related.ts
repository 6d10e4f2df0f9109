// What is told of a record in the list of another one.
import type { RelatedRow } from "../../api/records.ts";
import { day } from "../../tell.ts";
import { common } from "../../words/shared.ts";
import { say } from "../../words/index.ts";

const MOST = 4;

/** A few facts in words: a bare number or a yes says nothing without its name, and a no is left out. */
export function factsOf(row: Pick<RelatedRow, "title" | "facts">, typeOf: (name: string) => string | undefined, told: (name: string, text: string) => string): string[] {
  const found: string[] = [];
  for (const { name, label, text } of row.facts) {
    if (text === row.title) continue;
    const type = typeOf(name);
    if (type === "boolean") {
      if (text === common.yes[0]) found.push(say(label));
    } else if (type === "integer" || type === "decimal") found.push(`${say(label)} ${text}`);
    else found.push(/^\d{4}-\d\d-\d\dT/.test(text) ? day(text) : told(name, text));
  }
  return found.slice(0, MOST);
}
