// How what a form works out reads.
import type { FieldDefinition } from "@shared/engine/reference-types.ts";
import type { Value } from "@shared/engine/types.ts";
import { codesOf } from "../../../reference.ts";
import { when } from "../../../tell.ts";
import { comma, say, t } from "../../../words/index.ts";

/** A value that is worked out, in words. */
export function readable(field: FieldDefinition, value: Value | undefined): string {
  if (value === undefined || value === null) return "—";
  if (typeof value === "boolean") return t(value ? "common.yes" : "common.no");
  if (field.type === "datetime") return when(String(value));
  const codes = field.codelist ? codesOf(field.codelist) : [];
  return (Array.isArray(value) ? value : [value]).map((one) => say(codes.find((code) => code.code === one)?.label, String(one))).join(comma());
}
