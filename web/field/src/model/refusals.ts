// Why the server did not take something, as people say it: the field by its label, the reason by its code.
import type { Standing } from "@shared/engine/index.ts";
import { MESSAGES } from "@shared/forms/messages.ts";
import { language, say, t } from "../i18n.ts";
import { reference } from "../session.ts";
import { fieldLabel, typeLabel } from "./words.ts";

type Refusal = Standing["errors"][number];

/** Codes that come from the server alone and that somebody at a door can do something about. */
const OWN: ReadonlySet<string> = new Set([
  "wrong_type", "not_a_candidate", "no_such_community", "no_place", "not_a_member", "leaves", "the_same", "outside_box", "axes_swapped",
]);
/** Other names of what is said already. */
const SAME: Readonly<Record<string, string>> = { null: "required", empty: "required", unknown_datum: "datum_unknown", unknown_method: "method_unknown", not_a_number: "not_number" };
/** What the argument of a command is about: a type, or a field of it. */
const ABOUT: Readonly<Record<string, readonly [type: string, field?: string]>> = {
  dwelling: ["dwelling"], household: ["household"], members: ["person"], building: ["building"], entrance: ["entrance"],
  head: ["household", "head"], new_head: ["household", "head"], kind: ["household", "kind"], floor_number: ["dwelling", "floor_number"],
  on: ["person", "resident_from"], joined_reason: ["person", "joined_reason"], reason: ["residence", "left_reason"], left_reason: ["residence", "left_reason"],
};

/** What the pointer of a refusal leads to, by its label; nothing where there is none. */
function place(type: string, pointer: string): string {
  const [, part, name = ""] = pointer.split("/");
  const [of, field] = part === "arguments" ? (ABOUT[name] ?? [type, name]) : [type, part === "set" ? name : ""];
  if (field === undefined) return typeLabel(of);
  const label = fieldLabel(of, field);
  return label === field ? "" : label; // a field that no form of this phone knows
}

function reason(type: string, { pointer, code: told, message }: Refusal): string {
  const code = SAME[told] ?? told;
  const name = pointer.split("/")[2];
  const rule = code === "constraint" ? reference.value?.forms[type]?.fields.find((one) => one.name === name)?.constraint?.message : undefined;
  if (rule) return say(rule);
  const words = MESSAGES[code]?.[language() === "zh" ? 0 : 1];
  const limit = /-?\d[\d.]*/.exec(message)?.[0];
  if (words && (limit !== undefined || !words.includes("{limit}"))) return words.replace("{limit}", limit ?? "");
  return OWN.has(code) ? t(`sync.refusal.${code}`) : t("sync.refusal.other", { said: message || code });
}

/** `建成年份：应为整数`. What no code of ours says is told as the server said it. */
export function refusalWords(type: string, refusal: Refusal): string {
  const [where, why] = [place(type, refusal.pointer), reason(type, refusal)];
  return where ? t("sync.refused", { where, why }) : why;
}
