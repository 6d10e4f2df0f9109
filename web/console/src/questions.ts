// The questions that are asked most, as the server words them; each leads to a roster with its filters set.
import { shallowRef } from "vue";
import { get } from "./api/client.ts";
import type { CellName, Question, RosterFilterAsked } from "./api/types.ts";
import { router } from "./router.ts";
import { setAsked } from "./rosterState.ts";

export const questions = shallowRef<Question[]>([]);
let under: Promise<void> | null = null;

export function loadQuestions(): Promise<void> {
  under ??= get<{ questions: Question[] }>("/api/v1/questions").then((told) => void (questions.value = told.questions));
  under.catch(() => (under = null));
  return under;
}

export interface QuestionCounts {
  as_of: string;
  count: number;
  cells: (CellName & { cell?: CellName | null; count: number })[];
}

/** Open the list that answers; `cell` narrows it, `given` are answers to what the question asks back. */
export async function answer(question: Question, cell?: string | null, given: RosterFilterAsked[] = []): Promise<void> {
  if (!question.roster) {
    const kind = question.endpoint?.split("/").pop() ?? "";
    await router.push(`/inbox/${kind}`);
    return;
  }
  setAsked(question.roster, { filters: [...(question.filters ?? []), ...given], sort: question.sort ?? [], question: question.name });
  await router.push({ path: `/rosters/${question.roster}`, query: { q: question.name, ...(cell ? { cell } : {}) } });
}
