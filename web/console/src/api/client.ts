// Requests to the server that served this page. Changes carry the session's CSRF token; errors are problems (RFC 9457).
import { ref } from "vue";

export interface FieldProblem {
  pointer: string;
  code: string;
  message: string;
}

/** What the server refused, and why. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly slug: string,
    message: string,
    readonly errors: FieldProblem[],
    readonly document: Record<string, unknown>,
  ) {
    super(message);
  }
}

interface Options {
  body?: unknown;
  form?: FormData;
  purpose?: string;
  signal?: AbortSignal;
  accept?: string;
  /** Long work is answered with a job instead of being waited for. */
  async?: boolean;
}

/** Whether an answer is waited for longer than one is used to; long work of files and jobs aside. */
export const slow = ref(false);
const PATIENCE_MS = 6000;
const waitedFor = new Set<number>();
let count = 0;

/** Watch one request; what is given says that it was answered. */
function watched(): () => void {
  const mine = ++count;
  const timer = setTimeout(() => {
    waitedFor.add(mine);
    slow.value = true;
  }, PATIENCE_MS);
  return () => {
    clearTimeout(timer);
    waitedFor.delete(mine);
    slow.value = waitedFor.size > 0;
  };
}

let csrf = "";
let whenSignedOut: () => void = () => undefined;
let whenRenewed: () => Promise<boolean> = () => Promise.resolve(false);

export function useToken(token: string): void {
  csrf = token;
}

export function onSignedOut(act: () => void): void {
  whenSignedOut = act;
}

/** The token is that of a former session (somebody signed in anew in another tab): what is given tells whether there is one of the new session. */
export function onRenewed(act: () => Promise<boolean>): void {
  whenRenewed = act;
}

/** The raw answer; a Problem for everything but success. */
export async function send(method: string, path: string, options: Options = {}, twice = false): Promise<Response> {
  const headers: Record<string, string> = { Accept: options.accept ?? "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (options.purpose) headers["X-Purpose"] = encodeURIComponent(options.purpose);
  if (options.async) headers.Prefer = "respond-async";
  let body: BodyInit | undefined = options.form;
  if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(options.body);
  }
  let answer: Response;
  const answered = options.form || options.accept ? () => undefined : watched();
  try {
    answer = await fetch(path, { method, headers, body, signal: options.signal, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "no-connection", "no connection", [], {});
  } finally {
    answered();
  }
  if (answer.ok) return answer;
  const document = await answer.json().then(
    (read: unknown) => (typeof read === "object" && read !== null ? (read as Record<string, unknown>) : {}),
    () => ({}) as Record<string, unknown>,
  );
  const slug = typeof document.type === "string" ? (document.type.split("/").pop() ?? "") : "";
  if (slug === "csrf-refused" && !twice && (await whenRenewed())) return send(method, path, options, true);
  if (answer.status === 401 && slug !== "wrong-credentials") whenSignedOut();
  const errors = Array.isArray(document.errors) ? (document.errors as FieldProblem[]) : [];
  const message = String(document.detail ?? document.title ?? answer.status);
  throw new Problem(answer.status, slug, message, errors, document);
}

async function json<T>(method: string, path: string, options?: Options): Promise<T> {
  const answer = await send(method, path, options);
  return answer.status === 204 ? (undefined as T) : ((await answer.json()) as T);
}

export const get = <T>(path: string, options?: Options) => json<T>("GET", path, options);
export const post = <T>(path: string, body: unknown = {}, options?: Options) => json<T>("POST", path, { ...options, body });
export const remove = <T>(path: string, options?: Options) => json<T>("DELETE", path, options);

/** An address with the parameters that have a value. */
export function address(path: string, parameters: Record<string, string | number | null | undefined>): string {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== null && value !== undefined && value !== "") asked.set(name, String(value));
  const text = asked.toString();
  return text ? `${path}?${text}` : path;
}

/** Keep an answer as a file under the name that the server gave it. */
export async function keepFile(answer: Response, fallback: string): Promise<string> {
  const given = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1];
  const name = given ? decodeURIComponent(given) : fallback;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return name;
}
