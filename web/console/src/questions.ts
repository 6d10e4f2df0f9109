// The questions that are asked most, as the server words them; each leads to a roster with its filters set.
import { shallowRef } from "vue";
import { get } from "./api/client.ts";
import type { CellName, Question, QuestionList, RosterFilterAsked } from "./api/types.ts";
import { router } from "./router.ts";
import { setAsked } from "./rosterState.ts";

export const questions = shallowRef<Question[]>([]);
let under: Promise<void> | null = null;

export function loadQuestions(): Promise<void> {
  under ??= get<{ questions: Question[] }>("/api/v1/questions").then((told) => void (questions.value = told.questions));
  under.catch(() => (under = null));
  return under;
}

export interface ListCounts {
  name: string;
  count: number;
  cells: (CellName & { count: number })[];
  elsewhere: number;
}

export function countsOf(communityId: string, question: string): Promise<{ as_of: string; lists: ListCounts[] }> {
  return get(`/api/v1/communities/${communityId}/questions/${question}/counts`);
}

/** Open the list that answers; `cell` narrows it, `given` are answers to what the question asks back. */
export async function answer(question: Question, options: { list?: QuestionList; cell?: string | null; given?: RosterFilterAsked[] } = {}): Promise<void> {
  const list = options.list ?? question.lists[0];
  if (!list) {
    await router.push(`/inbox/${question.queue ?? ""}`);
    return;
  }
  const given = options.given ?? [];
  setAsked(list.roster, { filters: [...list.filters, ...given], sort: list.sort ?? [], question: question.name, list: list.name });
  await router.push({ path: `/rosters/${list.roster}`, query: options.cell ? { cell: options.cell } : {} });
}
