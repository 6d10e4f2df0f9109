// What a proposal asks for, in words: the day, the reason, who and where to.
import type { Label } from "../../api/types.ts";
import { communities, fieldOf } from "../../reference.ts";
import { day } from "../../tell.ts";
import { colon, comma, say, t, word } from "../../words/index.ts";
import { readValue } from "./values.ts";

/** The field as which an argument of a command is read (docs/protocol.md, Commands). */
const FIELDS: Record<string, [string, string]> = {
  joined_reason: ["person", "joined_reason"],
  left_reason: ["residence", "left_reason"],
  reason: ["residence", "left_reason"],
  kind: ["household", "kind"],
  floor_number: ["dwelling", "floor_number"],
};
const RECORDS = ["dwelling", "household", "building", "entrance", "head", "new_head", "merged"];

export interface Line {
  label: string;
  text: string;
}

/** Lines of label and text; ids that only the machine needs are left out. `titleOf` names a record by its id. */
export function argumentLines(type: string | null, given: Record<string, unknown>, titleOf: (id: string) => string): Line[] {
  const lines: Line[] = [];
  const add = (label: string, text: string) => lines.push({ label, text });
  const labelled = (of: string, name: string) => say((fieldOf(of, name)?.label ?? null) as Label | null, name);
  for (const [name, value] of Object.entries(given)) {
    const known = FIELDS[name];
    if (name === "on") add(t("inbox.argument_on"), day(String(value)));
    else if (known) add(labelled(...known), readValue(...known, { value, label: null }));
    else if (RECORDS.includes(name)) add(word(`inbox.argument_${name}`, name), value === null ? t("inbox.empty") : titleOf(String(value)));
    else if (name === "community") add(t("inbox.argument_community"), communities.value.find((one) => one.community_id === value)?.name ?? String(value));
    else if (name === "members" && Array.isArray(value)) add(t("inbox.argument_members"), value.map((one) => titleOf(String(one))).join(comma()));
    else if (name === "relations" && value && typeof value === "object")
      add(labelled("person", "relation_to_head"), Object.entries(value).map(([id, code]) => `${titleOf(id)}${colon()}${readValue("person", "relation_to_head", { value: code, label: null })}`).join(comma()));
    else if (name === "set" && type && value && typeof value === "object") for (const [field, one] of Object.entries(value)) add(labelled(type, field), readValue(type, field, { value: one, label: null }));
  }
  return lines;
}
