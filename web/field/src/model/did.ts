// What was done, as the lists call it: the act by its own name.
import type { Standing } from "@shared/engine/index.ts";
import { t } from "../i18n.ts";

const KINDS = ["create", "patch", "confirm", "delete", "restore", "resolve", "command"];
const ACTS = ["move_household", "split_household", "join_households", "change_head", "person_left", "person_died"];

/** `新增`, `分户`, `登记去世`. A kind of a newer program is shown as it came. */
export function didWords({ crossingTo, act, kind }: Standing): string {
  if (crossingTo) return t("record.move.community");
  if (act && ACTS.includes(act)) return t(`sync.act.${act}`);
  return KINDS.includes(kind) ? t(`sync.did.${kind}`) : kind;
}
