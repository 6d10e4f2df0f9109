// The questions that are asked most, as the server words them; each leads to a roster with its filters set.
import { shallowRef } from "vue";
import { address, get } from "./api/client.ts";
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

const onDays = new Map<string, Promise<Question[]>>();

/** The questions with their filters seen from a past day. */
function questionsOn(day: string): Promise<Question[]> {
  const known = onDays.get(day) ?? get<{ questions: Question[] }>(address("/api/v1/questions", { as_of: day })).then((told) => told.questions);
  onDays.set(day, known);
  known.catch(() => onDays.delete(day));
  return known;
}

export interface ListCounts {
  name: string;
  /** The day that it answers for; null: now. */
  true_on: string | null;
  count: number;
  cells: (CellName & { count: number })[];
  elsewhere: number;
}

export function countsOf(communityId: string, question: string, day: string | null = null): Promise<{ as_of: string; lists: ListCounts[] }> {
  return get(address(`/api/v1/communities/${communityId}/questions/${question}/counts`, { as_of: day }));
}

interface Answering {
  list?: QuestionList;
  cell?: string | null;
  /** Answers to what the question asks back. */
  given?: RosterFilterAsked[];
  /** A past day that is asked about; what carries no dates is answered for today, and says so. */
  day?: string | null;
  /** Another order than the question's own. */
  sort?: string[];
  /** Other columns than one's own. */
  columns?: string[] | null;
}

/** Open the list that answers; `cell` narrows it. */
export async function answer(question: Question, options: Answering = {}): Promise<void> {
  const list = options.list ?? question.lists[0];
  if (!list) {
    await router.push(`/inbox/${question.queue ?? ""}`);
    return;
  }
  const day = list.of_the_present ? null : (options.day ?? null);
  const then = day ? (await questionsOn(day)).find((one) => one.name === question.name)?.lists.find((one) => one.name === list.name) : null;
  const filters = [...(then ?? list).filters, ...(options.given ?? [])];
  setAsked(list.roster, { filters, sort: options.sort ?? list.sort ?? [], question: question.name, list: list.name, day, notOn: list.of_the_present ? (options.day ?? null) : null, columns: options.columns ?? null });
  await router.push({ path: `/rosters/${list.roster}`, query: options.cell ? { cell: options.cell } : {} });
}

/** What was answered to the question's own question, such as the door: it stands after the filters of the list. */
export const givenTo = (list: QuestionList, filters: RosterFilterAsked[]): RosterFilterAsked[] => filters.slice(list.filters.length);
