// What the server tells about special surveys, and asking for it.
import { get, send } from "../../api/client.ts";
import type { Label } from "../../api/types.ts";
import { communityId } from "../../session.ts";

export interface Choice {
  code: string;
  label: Label;
  retired: boolean;
  count?: number;
}

export interface SurveyQuestion {
  name: string;
  label: Label;
  type: string;
  required: boolean;
  conditional: boolean;
  calculated: boolean;
  choices: Choice[] | null;
}

export interface Survey {
  name: string;
  label: Label;
  state: "draft" | "published" | "closed";
  version: number | null;
  draft_version: number | null;
  subject: "household" | "person" | "none";
  audience: string | null;
  questions_count: number;
  roster: string | null;
  versions: { version: number; state: string; made_at: string; published_at: string | null; closed_at: string | null }[];
  questions?: SurveyQuestion[];
  /** Whether ODK Collect can be offered it. */
  collect?: boolean;
}

export interface Refusal {
  sheet: string;
  row: number | null;
  column: string | null;
  code: string;
  zh: string;
  en: string;
}

export interface Checked {
  ok: boolean;
  survey: { name: string; version: number; label: Label; subject: string; questions: SurveyQuestion[]; collect: boolean } | null;
  refusals: Refusal[];
}

export interface Standing {
  answers: number;
  answered: number | null;
  expected: number | null;
}

export interface Progress {
  as_of: string;
  cells: ({ cell_id: string; code: string; name: string } & Standing)[];
  elsewhere: Standing;
  total: Standing;
  waiting: number | null;
}

export interface Result extends SurveyQuestion {
  answered: number;
  yes?: number;
  no?: number;
  lowest?: number | null;
  highest?: number | null;
  sum?: number;
  mean?: number | null;
}

export interface Results {
  as_of: string;
  answers: number;
  questions: Result[];
}

/** The address of the surveys of the community. */
export const at = (rest = ""): string => `/api/v1/communities/${encodeURIComponent(communityId.value)}/surveys${rest}`;

export const allSurveys = async (): Promise<Survey[]> => (await get<{ surveys: Survey[] }>(at())).surveys;

function sent(file: File, subject: string): FormData {
  const form = new FormData();
  form.append("file", file, file.name);
  if (subject) form.append("subject", subject);
  return form;
}

export async function checkWorkbook(file: File, subject: string): Promise<Checked> {
  return (await (await send("POST", at("/check"), { form: sent(file, subject) })).json()) as Checked;
}

export async function keepWorkbook(file: File, subject: string): Promise<Survey> {
  return (await (await send("POST", at(), { form: sent(file, subject) })).json()) as Survey;
}

/** A share from 0 to 100 of something that may be nothing. */
export const part = (of: number, all: number | null): number => (all ? Math.min(100, (100 * of) / all) : 0);
