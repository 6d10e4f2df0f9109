// Special surveys (专项调查): which are open, whom they are about, who has answered on this phone.
import type { Definition, RecordView, SurveyNote } from "@shared/engine/index.ts";
import { dayAt } from "@shared/forms/days.ts";
import { holds } from "@shared/forms/evaluate.ts";
import { engine, reference } from "../session.ts";

export interface OpenSurvey extends SurveyNote {
  form: Definition;
}

/** Surveys that take answers, in the order of the server. */
export function openSurveys(): OpenSurvey[] {
  return (reference.value?.surveys ?? []).flatMap((one) => {
    const form = reference.value?.forms[one.name];
    return form && !one.closed ? [{ ...one, form }] : [];
  });
}

/** Open surveys about this kind of record. */
export function surveysOf(subject: "household" | "person"): OpenSurvey[] {
  return openSurveys().filter((one) => one.subject === subject);
}

/** Surveys that hang on nothing: each answer has a place of its own. */
export function looseSurveys(): Definition[] {
  return openSurveys().filter((one) => one.subject === "none").map((one) => one.form);
}

/** The answers that a household or person has given, the newest first. */
export function answersOf(survey: SurveyNote, id: string): RecordView[] {
  return survey.field === null ? [] : engine().list(survey.name, { [survey.field]: id }).sort((a, b) => (a.id < b.id ? 1 : -1));
}

/** Whether a survey asks this household or person: by its audience, if it has one. */
export function isAsked(survey: OpenSurvey, one: RecordView): boolean {
  return holds(survey.form.audience?.tree, one.fields, dayAt(Date.now()));
}

/** Everybody on this phone whom a survey asks: households, or persons who live somewhere, of its audience. */
export function asked(survey: OpenSurvey): RecordView[] {
  if (survey.subject === "none") return [];
  const all = survey.subject === "household" ? engine().list("household") : engine().list("person").filter((one) => one.fields["residence_household"] && one.fields["vital_status"] !== "deceased");
  return all.filter((one) => isAsked(survey, one));
}

/** Ids of those who have answered. */
export function answered(survey: SurveyNote): Set<string> {
  return new Set(engine().list(survey.name).map((one) => String(one.fields[survey.field ?? ""] ?? "")));
}
