// A value of the inbox with its code label, in the language of the screen.
import type { ConflictValue } from "../../api/records.ts";
import type { Label } from "../../api/types.ts";
import { codesOf, fieldOf } from "../../reference.ts";
import { comma, say, t } from "../../words/index.ts";

const isLabel = (one: unknown): one is Label => typeof one === "object" && one !== null && "zh" in one;

export function readValue(type: string, name: string, given: ConflictValue | null | undefined): string {
  const value = given?.value;
  if (value === null || value === undefined || value === "") return t("inbox.empty");
  const label = given?.label;
  if (isLabel(label)) return say(label);
  if (Array.isArray(label) && label.length) return label.map((one) => (isLabel(one) ? say(one) : String(one))).join(comma());
  const codelist = fieldOf(type, name)?.codelist;
  const known = (code: unknown) => codesOf(codelist!).find((one) => one.code === code)?.label;
  if (codelist && typeof value === "string") return say(known(value), typeof label === "string" ? label : value);
  if (codelist && Array.isArray(value) && value.every(known)) return value.map((one) => say(known(one))).join(comma());
  if (typeof value === "boolean") return t(value ? "common.yes" : "common.no");
  if (typeof label === "string" && label) return label;
  if (Array.isArray(value)) return value.join(comma());
  if (typeof value === "object") {
    const held = value as { mask?: string; lon?: number; lat?: number };
    return held.mask ?? (held.lon === undefined ? JSON.stringify(value) : `${held.lon}, ${held.lat}`);
  }
  return String(value);
}
