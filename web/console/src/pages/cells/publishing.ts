// Putting an edition in force is a job: asked for, watched until it is done.
import { get, post, Problem } from "../../api/client.ts";

export interface Publishing {
  job_id: string;
  edition_id: string;
  state: "queued" | "running" | "done" | "failed";
  done: number;
  total: number | null;
  error: string | null;
  href: string;
}

const EVERY_MS = 700;

/** How far it is, from 0 to 1. */
export function share(job: Publishing): number {
  if (job.state === "done") return 1;
  return job.total ? Math.min(job.done / job.total, 1) : 0;
}

/** Ask again until it is done; the edition that is in force then. A Problem where it failed. */
export async function watch(job: Publishing, tell: (now: Publishing) => void, signal: AbortSignal): Promise<string> {
  for (let now = job; ; now = (await get<{ publishing: Publishing }>(job.href, { signal })).publishing) {
    tell(now);
    if (now.state === "done") return now.edition_id;
    if (now.state === "failed") throw new Problem(422, "publishing-failed", now.error ?? "", [], {});
    await new Promise<void>((go, stop) => {
      const timer = setTimeout(go, EVERY_MS);
      signal.addEventListener("abort", () => (clearTimeout(timer), stop(new DOMException("left", "AbortError"))), { once: true });
    });
  }
}

/** Ask for it, and watch it; the edition that is in force then. */
export async function putInForce(path: string, tell: (now: Publishing) => void, signal: AbortSignal): Promise<string> {
  return watch((await post<{ publishing: Publishing }>(path, {}, { async: true, signal })).publishing, tell, signal);
}
