// Special surveys: record types that came from a workbook. They hang on what they refer to.
import type { Definition } from "@shared/engine/index.ts";
import { reference } from "../session.ts";

/** Types that have screens of their own in this app, or belong to the office. */
const KNOWN = new Set(
  ("allocation building call_response care_status check_in department_call dwelling entrance estate hazard household incident inspection need organization " +
    "party_member person rectification reference reference_card residence resource service_record service_request task tenure visit").split(" "),
);

/** Surveys about this kind of record, each with the field that names it. */
export function surveysOf(type: string): { form: Definition; field: string }[] {
  return Object.values(reference.value?.forms ?? {}).flatMap((form) => {
    if (KNOWN.has(form.name) || form.server_made || !form.views?.length) return [];
    const field = form.fields.find((one) => one.type === "ref" && one.ref_type === type);
    return field ? [{ form, field: field.name }] : [];
  });
}

/** Surveys that hang on nothing. */
export function looseSurveys(): Definition[] {
  return Object.values(reference.value?.forms ?? {}).filter(
    (form) => !KNOWN.has(form.name) && !form.server_made && !!form.views?.length && !form.fields.some((one) => one.type === "ref"),
  );
}
