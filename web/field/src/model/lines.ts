// Lines of work (业务条线): a community worker records care of their own lines only; the server would set any other apart.
import { reference } from "../session.ts";

const FIELD = "line_of_work";

/** The codes that this person may give a field; null: every one. */
export function ownCodes(type: string, field: string): readonly string[] | null {
  return type === "care_status" && field === FIELD ? (reference.value?.lines_of_work ?? null) : null;
}

/** Whether a record of this type can be made by this person at all. */
export function mayMake(type: string): boolean {
  return ownCodes(type, FIELD)?.length !== 0;
}
